//! Weights of roles, as `--weights` has them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use protocol::role::{self, RoleError};
use statemachine::Role;

/// Weights of roles that are not 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights(pub BTreeMap<String, f64>);

/// A text that is no list of weights.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// An entry has no equals sign, or no number after it.
    #[error("'{0}' is not of the form role=weight with a weight above 0")]
    Form(String),
    /// The name of a role cannot be one.
    #[error(transparent)]
    Role(#[from] RoleError),
}

impl Weights {
    /// As the core keeps them; what rounds to nothing counts as the least there is.
    pub(super) fn thousandths(&self) -> Vec<(Role, u64)> {
        let kept = |weight: f64| ((weight * 1000.0).round() as u64).max(1);
        self.0.iter().map(|(role, weight)| (role.as_str().into(), kept(*weight))).collect()
    }
}

impl FromStr for Weights {
    type Err = WeightsError;

    fn from_str(text: &str) -> Result<Self, WeightsError> {
        text.split(',').map(entry).collect::<Result<_, _>>().map(Self)
    }
}

fn entry(text: &str) -> Result<(String, f64), WeightsError> {
    let form = || WeightsError::Form(text.to_owned());
    let (role, weight) = text.split_once('=').ok_or_else(form)?;
    let weight: f64 = weight.trim().parse().map_err(|_| form())?;
    if !(weight > 0.0 && weight.is_finite()) {
        return Err(form());
    }
    role::validate(role.trim())?;
    Ok((role.trim().to_owned(), weight))
}

impl fmt::Display for Weights {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (role, weight)) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { "," };
            write!(formatter, "{separator}{role}={weight}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read() {
        let weights: Weights = "a=2, b/c=0.5".parse().expect("weights");
        assert_eq!(weights.to_string(), "a=2,b/c=0.5");
        assert_eq!(weights.thousandths(), [("a".into(), 2000), ("b/c".into(), 500)]);
        for text in ["", "a", "a=", "a=0", "a=-1", "a=NaN", "a=inf", "a b=1"] {
            assert!(text.parse::<Weights>().is_err(), "{text}");
        }
    }
}
