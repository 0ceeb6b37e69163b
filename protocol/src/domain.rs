//! Where a master or agent is, as `--domain` says it: a v1 `DomainInfo` in JSON.

use crate::json;
use crate::v1::DomainInfo;

/// Why a text is no domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    /// It is no `DomainInfo`.
    #[error("the domain is not readable: {0}")]
    Json(String),
    /// Region or zone are missing.
    #[error("the domain has to name a region and a zone")]
    Incomplete,
}

/// Reads `{"fault_domain":{"region":{"name":"eu"},"zone":{"name":"eu-1"}}}`.
pub fn parse(text: &str) -> Result<DomainInfo, DomainError> {
    let read = json::from_slice::<DomainInfo>(text.as_bytes());
    let domain = read.map_err(|error| DomainError::Json(error.to_string()))?;
    let names = domain.fault_domain.as_ref().map(|it| [&it.region.name, &it.zone.name]);
    match names {
        Some(names) if names.iter().all(|name| !name.is_empty()) => Ok(domain),
        _ => Err(DomainError::Incomplete),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, fault: &str) {
        match parse(text) {
            Ok(_) => assert_eq!(fault, "", "{text}"),
            Err(error) => {
                assert!(!fault.is_empty() && error.to_string().contains(fault), "{error}");
            }
        }
    }

    #[test]
    fn a_domain_has_a_region_and_a_zone() {
        check(r#"{"fault_domain":{"region":{"name":"eu"},"zone":{"name":"eu-1"}}}"#, "");
        check(r#"{"fault_domain":{"region":{"name":"eu"},"zone":{"name":""}}}"#, "a zone");
        check(r#"{"fault_domain":{"region":{"name":"eu"}}}"#, "not readable");
        check("{}", "a region and a zone");
        check("eu", "not readable");
    }
}
