//! Whether the list of founding masters makes sense.

use super::Config;

/// What is wrong with `--masters`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuorumError {
    /// An address is not one.
    #[error("'{0}' in --masters is not of the form host:port")]
    Address(String),
    /// An address is there twice.
    #[error("--masters names {0} twice")]
    Twice(String),
    /// An even number of masters tolerates no more failures than one less.
    #[error(
        "--masters names {0} masters; a quorum is founded by 1, 3 or 5, since an even number \
         survives no more failures than one less"
    )]
    Count(usize),
    /// This master is not in the list.
    #[error("--masters does not name this master: it is known as {known}, the list is {list}")]
    OwnMissing {
        /// Names of this master.
        known: String,
        /// The list.
        list: String,
    },
}

impl Config {
    /// The founding masters in the order of their numbers in the quorum: sorted, so that each
    /// master numbers them alike, however its own list is ordered.
    pub fn founders(&self) -> Result<Vec<String>, QuorumError> {
        if self.masters.is_empty() {
            return Ok(vec![self.address()]);
        }
        for address in &self.masters {
            let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty());
            if port.is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
                return Err(QuorumError::Address(address.clone()));
            }
        }
        let mut founders = self.masters.clone();
        founders.sort_unstable();
        if let Some(pair) = founders.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(QuorumError::Twice(pair[0].clone()));
        }
        if !matches!(founders.len(), 1 | 3 | 5) {
            return Err(QuorumError::Count(founders.len()));
        }
        if !founders.contains(&self.address()) {
            let known = self.names().join(" and ");
            return Err(QuorumError::OwnMissing { known, list: self.masters.join(",") });
        }
        Ok(founders)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;

    fn check(masters: &str, expected: Result<&[&str], &str>) {
        let arguments = ["--ip", "127.0.0.1", "--masters", masters];
        let founders = parse(&arguments).expect("flags").founders();
        match (founders, expected) {
            (Ok(founders), Ok(expected)) => assert_eq!(founders, expected),
            (Err(error), Err(expected)) => {
                assert!(error.to_string().contains(expected), "{masters}: {error}");
            }
            (founders, _) => panic!("{masters}: {founders:?}"),
        }
    }

    #[test]
    fn mistakes_in_the_list_are_named() {
        check("127.0.0.1:5050", Ok(&["127.0.0.1:5050"]));
        check("b:1,127.0.0.1:5050,a:1", Ok(&["127.0.0.1:5050", "a:1", "b:1"]));
        check("127.0.0.1:5050,a:1,a:1", Err("names a:1 twice"));
        check("127.0.0.1:5050,a:1", Err("names 2 masters"));
        check("a:1,b:1,c:1", Err("does not name this master"));
        check("127.0.0.1:5050,a,b:1", Err("'a' in --masters"));
        check("127.0.0.1:5050,a:x,b:1", Err("'a:x' in --masters"));
    }
}
