//! What an offer has at least, as `--min_allocatable_resources` says it.

use std::fmt;
use std::str::FromStr;

use statemachine::quota::Amounts;
use statemachine::resources::{Name, Scalar};

/// Any one of these will do, and if there are none anything will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferMinimums(pub Vec<Amounts>);

/// A text that is no list of quantities.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not of the form name:amount;name:amount with amounts above 0")]
pub struct OfferMinimumsError(String);

impl FromStr for OfferMinimums {
    type Err = OfferMinimumsError;

    fn from_str(text: &str) -> Result<Self, OfferMinimumsError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        text.split('|').map(quantities).collect::<Result<_, _>>().map(Self)
    }
}

fn quantities(text: &str) -> Result<Amounts, OfferMinimumsError> {
    let form = || OfferMinimumsError(text.to_owned());
    let amount = |part: &str| {
        let (name, amount) = part.split_once(':').ok_or_else(form)?;
        let amount: f64 = amount.trim().parse().map_err(|_| form())?;
        let is_amount = !name.trim().is_empty() && amount > 0.0 && amount.is_finite();
        if is_amount {
            Ok((Name::from(name.trim()), Scalar::from_f64(amount)))
        } else {
            Err(form())
        }
    };
    text.split(';').map(amount).collect()
}

impl fmt::Display for OfferMinimums {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amounts = |amounts: &Amounts| {
            let parts: Vec<_> = amounts.iter().map(|(name, it)| format!("{name}:{it}")).collect();
            parts.join(";")
        };
        let all: Vec<_> = self.0.iter().map(amounts).collect();
        formatter.write_str(&all.join("|"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, shown: Option<&str>) {
        let found = text.parse::<OfferMinimums>().ok().map(|minimums| minimums.to_string());
        assert_eq!(found.as_deref(), shown, "{text}");
    }

    /// semantics 178
    #[test]
    fn minimums_are_read() {
        check("cpus:0.01|mem:32", Some("cpus:0.01|mem:32"));
        check(" mem:64; cpus:1 ", Some("cpus:1;mem:64"));
        check("", Some(""));
        check("cpus", None);
        check("cpus:1|", None);
        check("cpus:-1", None);
        check("cpus:NaN", None);
        check(":1", None);
    }
}
