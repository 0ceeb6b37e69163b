//! JSON for pages of other sites: an answer as a call of a function that the page has (surface 29).

/// Query parameter that names the function.
pub const PARAMETER: &str = "jsonp";

/// Media type of such an answer.
pub const MEDIA_TYPE: &str = "text/javascript";

/// Longest name of a function.
const NAME_BYTES_MAX: usize = 256;

/// A text that cannot be the name of a function. Mesos writes whatever it is given into a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Expecting 'jsonp' to be the name of a function")]
pub struct NameError;

/// A JSON text as the only argument of a call of `function`.
///
/// # Errors
/// `function` is not a chain of names such as `angular.callbacks._0`.
pub fn wrap(function: &str, json: &[u8]) -> Result<Vec<u8>, NameError> {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"_$.".contains(&byte);
    if function.is_empty() || function.len() > NAME_BYTES_MAX || !function.bytes().all(is_fit) {
        return Err(NameError);
    }
    Ok([function.as_bytes(), b"(", json, b")"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(function: &str, expected: Option<&str>) {
        let wrapped = wrap(function, b"{}").ok();
        assert_eq!(wrapped, expected.map(|text| text.as_bytes().to_vec()), "{function}");
    }

    #[test]
    fn json_becomes_a_call() {
        check("cb", Some("cb({})"));
        check("angular.callbacks._0", Some("angular.callbacks._0({})"));
        check("$f", Some("$f({})"));
    }

    #[test]
    fn only_names_are_written_into_a_script() {
        for function in ["", "alert(1);cb", "a b", "<script>", "f\n", "\u{e9}"] {
            check(function, None);
        }
        check(&"f".repeat(257), None);
    }
}
