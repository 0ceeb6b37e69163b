//! Cases that once failed: calls as a failing run printed them, made smaller by hand.

use crate::call::Call;

/// Each with what it showed.
pub(crate) fn cases() -> Vec<(&'static str, Vec<Call>)> {
    vec![(
        "what a framework refused for a role is forgotten once it leaves that role",
        vec![
            Call::Suppress { who: 1, roles: 0 },
            Call::UpdateFramework { who: 0, roles: 1, suppressed: 255 },
            Call::Allocate { only: None },
            Call::Decline { who: 0, offers: vec![0], refuse: 5 },
            Call::UpdateFramework { who: 0, roles: 4, suppressed: 255 },
            Call::UpdateFramework { who: 0, roles: 1, suppressed: 255 },
            Call::Allocate { only: None },
        ],
    )]
}
