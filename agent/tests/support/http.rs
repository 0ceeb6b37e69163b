//! An HTTP client that shows what really came: statuses, headers, chunks.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use serde_json::Value;

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends one request; `line` is its first line, `headers` are sent as they are.
pub(crate) fn send(port: u16, line: &str, headers: &[String], body: &[u8]) -> Answer {
    let mut reader = request(port, line, headers, body);
    let (status, headers) = read_head(&mut reader);
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        while let Some(chunk) = read_chunk(&mut reader) {
            body.extend(chunk);
        }
    } else {
        let length = headers.get("content-length").and_then(|length| length.parse().ok());
        body.resize(length.unwrap_or(0), 0);
        reader.read_exact(&mut body).expect("a whole body");
    }
    Answer { status, headers, body }
}

pub(crate) fn get(port: u16, path: &str) -> Answer {
    send(port, &format!("GET {path} HTTP/1.1"), &[], b"")
}

pub(crate) fn post(port: u16, path: &str, call: &Value) -> Answer {
    let headers =
        ["Content-Type: application/json".to_owned(), "Accept: application/json".to_owned()];
    send(port, &format!("POST {path} HTTP/1.1"), &headers, call.to_string().as_bytes())
}

fn request(port: u16, line: &str, headers: &[String], body: &[u8]) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    stream.set_read_timeout(Some(super::DEADLINE)).expect("a timeout");
    let mut head =
        format!("{line}\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {}\r\n", body.len());
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).expect("sent");
    stream.write_all(body).expect("sent");
    BufReader::new(stream)
}

fn read_head(reader: &mut impl BufRead) -> (u16, BTreeMap<String, String>) {
    let mut line = String::new();
    reader.read_line(&mut line).expect("a status line");
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).expect("a header");
        let Some((name, value)) = line.trim_end().split_once(':') else { return (status, headers) };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
}

/// One HTTP chunk; nothing after the last.
fn read_chunk(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let length = usize::from_str_radix(line.trim(), 16).ok().filter(|length| *length > 0)?;
    let mut chunk = vec![0; length + 2];
    reader.read_exact(&mut chunk).ok()?;
    chunk.truncate(length);
    Some(chunk)
}

/// An executor's stream.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) events: Receiver<Value>,
    stream: TcpStream,
}

impl Subscription {
    /// Subscribes; the answer's status if that was refused. Each chunk must be one record.
    pub(crate) fn open(port: u16, call: &Value) -> Result<Self, u16> {
        let headers = ["Content-Type: application/json".to_owned()];
        let line = "POST /api/v1/executor HTTP/1.1";
        let mut reader = request(port, line, &headers, call.to_string().as_bytes());
        let (status, _) = read_head(&mut reader);
        if status != 200 {
            return Err(status);
        }
        let stream = reader.get_ref().try_clone().expect("a second handle");
        let (sender, events) = channel();
        std::thread::spawn(move || {
            while let Some(chunk) = read_chunk(&mut reader) {
                let text = String::from_utf8(chunk).expect("text");
                let (length, record) = text.split_once('\n').expect("a record");
                assert_eq!(
                    length.parse::<usize>().expect("a length"),
                    record.len(),
                    "one per chunk"
                );
                if sender.send(serde_json::from_str(record).expect("JSON")).is_err() {
                    return;
                }
            }
        });
        Ok(Self { events, stream })
    }

    /// The next event, which must be of this type.
    pub(crate) fn expect(&self, kind: &str) -> Value {
        let event =
            self.events.recv_timeout(super::DEADLINE).unwrap_or_else(|_| panic!("no {kind}"));
        assert_eq!(event["type"], kind, "{event}");
        event
    }

    /// Waits for the end of the stream.
    pub(crate) fn expect_end(&self) {
        let next = self.events.recv_timeout(super::DEADLINE);
        assert_eq!(next, Err(RecvTimeoutError::Disconnected), "the stream goes on");
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}
