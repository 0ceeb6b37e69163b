//! Finds the leading master: asks the masters in turn, and follows their redirects.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::{Instant, sleep};

use super::address::Address;
use super::http::{self as wire, Answer, HttpError};

/// Redirects followed before another master is asked.
const REDIRECTS_MAX: usize = 5;
/// Pause between two rounds of asking.
const ROUND_PAUSE: Duration = Duration::from_millis(100);
/// How long masters that answer may take to agree on a leader.
const ELECTION_PATIENCE: Duration = Duration::from_secs(15);

/// The header of a request that any master may answer, however far it is.
const ANYWHERE: (&str, &str) = ("mesolith-min-index", "0");

/// The way to the leading master.
#[derive(Clone, Debug)]
pub(crate) struct Leader {
    masters: Vec<Address>,
    patience: Option<Duration>,
    /// Whether reads are answered by whichever master is asked.
    anywhere: bool,
}

/// Why no leader was found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LeaderError {
    /// No master could be reached at all.
    #[error("no master answers")]
    Unreachable(#[source] HttpError),
    /// Masters answer, and none of them leads.
    #[error("no leading master within {0:?}, last: {1}")]
    NoLeader(Duration, String),
}

/// What one master says.
enum Attempt {
    Answered(Address, Answer),
    Elsewhere(String),
    Unreachable(HttpError),
}

impl Leader {
    /// Asks these masters, and gives up at once when none of them can be reached.
    pub(crate) fn among(masters: &[Address]) -> Self {
        Self { masters: masters.to_vec(), patience: None, anywhere: false }
    }

    /// Keeps asking for this long even while no master can be reached.
    pub(crate) fn patient(masters: &[Address], patience: Duration) -> Self {
        Self { patience: Some(patience), ..Self::among(masters) }
    }

    /// Reads from the first of these masters that can be reached, as far as it has followed the leader.
    pub(crate) fn any_of(masters: &[Address]) -> Self {
        Self { anywhere: true, ..Self::among(masters) }
    }

    /// Posts to the leader, or to whichever master answers it; the answer is that master's, whatever its
    /// status, together with its address.
    pub(crate) async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<(Address, Answer), LeaderError> {
        self.request((Method::POST, path), headers, body).await
    }

    /// Asks the leader, or whichever master answers.
    pub(crate) async fn get(&self, path: &str) -> Result<(Address, Answer), LeaderError> {
        self.request((Method::GET, path), &[], &[]).await
    }

    async fn request(
        &self,
        (method, path): (Method, &str),
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<(Address, Answer), LeaderError> {
        let headers = &[headers, if self.anywhere { &[ANYWHERE] } else { &[] }].concat();
        let patience = self.patience.unwrap_or(ELECTION_PATIENCE);
        let deadline = Instant::now() + patience;
        loop {
            let mut last = String::from("no master is named");
            let mut unreachable = None;
            let mut elsewhere = false;
            for master in &self.masters {
                match ask(master, (&method, path), headers, body).await {
                    Attempt::Answered(address, answer) => return Ok((address, answer)),
                    Attempt::Elsewhere(text) => (last, elsewhere) = (text, true),
                    Attempt::Unreachable(error) => unreachable = Some(error),
                }
            }
            let impatient = self.patience.is_none() && !elsewhere;
            if impatient || Instant::now() >= deadline {
                return Err(match unreachable {
                    Some(error) if !elsewhere => LeaderError::Unreachable(error),
                    _ => LeaderError::NoLeader(patience, last),
                });
            }
            sleep(ROUND_PAUSE).await;
        }
    }
}

async fn ask(
    master: &Address,
    (method, path): (&Method, &str),
    headers: &[(&str, &str)],
    body: &[u8],
) -> Attempt {
    let mut address = master.clone();
    let mut path = path.to_owned();
    for _ in 0..REDIRECTS_MAX {
        let answer =
            match wire::request(&address, (method.clone(), &path), headers, body.to_vec()).await {
                Ok(answer) => answer,
                // A redirect to a leader that has just died is no reason to give up on the master.
                Err(error) if address != *master => return Attempt::Elsewhere(chain(&error)),
                Err(error) => return Attempt::Unreachable(error),
            };
        match answer.status() {
            StatusCode::TEMPORARY_REDIRECT => match location(&answer) {
                Some((to, rest)) => (address, path) = (to, rest),
                None => return Attempt::Elsewhere(format!("{address} redirects to nowhere")),
            },
            StatusCode::SERVICE_UNAVAILABLE => {
                return Attempt::Elsewhere(format!("{address} knows no leader"));
            }
            _ => return Attempt::Answered(address, answer),
        }
    }
    Attempt::Elsewhere(format!("{master} redirects in a circle"))
}

/// Address and path of a `Location` such as `//host:port/path` (semantics 32).
fn location(answer: &Answer) -> Option<(Address, String)> {
    let location = answer.headers().get(http::header::LOCATION)?.to_str().ok()?;
    split(location)
}

fn split(location: &str) -> Option<(Address, String)> {
    let (_, rest) = location.split_once("//")?;
    let (address, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path.is_empty() { "/" } else { path };
    Some((address.parse().ok()?, path.to_owned()))
}

fn chain(error: &HttpError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn check(location: &str, expected: Option<(&str, &str)>) {
        let found = split(location);
        let found = found.as_ref().map(|(address, path)| (address.as_str(), path.as_str()));
        assert_eq!(found, expected, "{location}");
    }

    #[test]
    fn redirects_may_be_protocol_relative() {
        check("//10.0.0.1:5050/master/api/v1", Some(("10.0.0.1:5050", "/master/api/v1")));
        check("http://leader:5060", Some(("leader:5060", "/")));
        check("/master/state", None);
        check("//:1/x", None);
    }

    #[tokio::test]
    async fn masters_that_cannot_be_reached_are_an_error_at_once() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        drop(listener);
        let leader = Leader::among(&[Address::new("127.0.0.1", port)]);
        let error = leader.post("/api/v1", &[], b"{}").await.expect_err("nobody listens");
        assert!(matches!(error, LeaderError::Unreachable(_)), "{error}");
    }

    /// gaps 33
    #[tokio::test]
    async fn any_master_is_asked_with_a_header_that_it_may_answer() {
        for anywhere in [false, true] {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let port = listener.local_addr().expect("a bound socket").port();
            let masters = [Address::new("127.0.0.1", port)];
            let master = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.expect("a client");
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.expect("a request");
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                stream.write_all(answer).await.expect("it listens");
                String::from_utf8_lossy(&request[..length]).contains("mesolith-min-index: 0")
            });
            let leader = if anywhere { Leader::any_of(&masters) } else { Leader::among(&masters) };
            leader.post("/api/v1", &[], b"{}").await.expect("an answer");
            assert_eq!(master.await.expect("no panic"), anywhere);
        }
    }
}
