//! RecordIO (semantics 39): the length of a record in decimal, a newline, the record, and at once
//! the next one.

use bytes::{Buf, Bytes, BytesMut};

/// Digits of a length; one with more is refused before it is read on.
const MAX_LENGTH_DIGITS: usize = 19;

/// Largest record that a [`Decoder`] takes unless it is told otherwise.
pub const DEFAULT_MAX_RECORD_BYTES: usize = 64 << 20;

/// Why a stream is not RecordIO, or not one that this decoder will take. Nothing can be read after
/// it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A length is made of something else than digits and a newline.
    #[error("the length of a record is not a decimal number: {0:?}")]
    BadLength(String),
    /// A record is larger than the decoder's limit.
    #[error("a record of {length} bytes is larger than the limit of {limit} bytes")]
    TooLarge {
        /// Bytes of the record.
        length: u64,
        /// Bytes that the decoder takes.
        limit: usize,
    },
    /// The stream ended inside a record or its length.
    #[error("the stream ended inside a record, {received} bytes after the last one")]
    Truncated {
        /// Bytes since the last whole record.
        received: usize,
    },
}

/// Frames one record.
pub fn encode(record: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(record.len() + MAX_LENGTH_DIGITS + 1);
    framed.extend_from_slice(record.len().to_string().as_bytes());
    framed.extend_from_slice(b"\n");
    framed.extend_from_slice(record);
    framed.freeze()
}

/// Takes a stream in pieces of any size, and gives back whole records.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    /// Length of the record at the start of the buffer, once it is known.
    length: Option<usize>,
    max_record_bytes: usize,
    failed: Option<RecordError>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::with_limit(DEFAULT_MAX_RECORD_BYTES)
    }
}

impl Decoder {
    /// A decoder that refuses records of more than `max_record_bytes`.
    pub fn with_limit(max_record_bytes: usize) -> Self {
        Self { buffer: BytesMut::new(), length: None, max_record_bytes, failed: None }
    }

    /// Adds the next piece of the stream. Draw the records with `next_record` before adding
    /// another: the buffer then never holds more than one record and one piece.
    pub fn feed(&mut self, piece: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(piece);
        }
    }

    /// The next whole record; `None` when more of the stream is needed.
    pub fn next_record(&mut self) -> Result<Option<Bytes>, RecordError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.take_record().inspect_err(|error| {
            self.failed = Some(error.clone());
            self.buffer = BytesMut::new();
        })
    }

    /// To be called at the end of the stream, after the last record was drawn.
    pub fn finish(self) -> Result<(), RecordError> {
        match self.failed {
            Some(error) => Err(error),
            None if self.buffer.is_empty() && self.length.is_none() => Ok(()),
            None => Err(RecordError::Truncated { received: self.buffer.len() }),
        }
    }

    fn take_record(&mut self) -> Result<Option<Bytes>, RecordError> {
        let length = match self.length {
            Some(length) => length,
            None => match self.take_length()? {
                Some(length) => length,
                None => return Ok(None),
            },
        };
        if self.buffer.len() < length {
            self.length = Some(length);
            return Ok(None);
        }
        self.length = None;
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    fn take_length(&mut self) -> Result<Option<usize>, RecordError> {
        let head = &self.buffer[..self.buffer.len().min(MAX_LENGTH_DIGITS + 1)];
        let digits = head.iter().take_while(|byte| byte.is_ascii_digit()).count();
        match head.get(digits) {
            None if digits <= MAX_LENGTH_DIGITS => return Ok(None),
            Some(b'\n') if digits > 0 => {}
            _ => return Err(RecordError::BadLength(head.escape_ascii().to_string())),
        }
        let length =
            head[..digits].iter().fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        if length > self.max_record_bytes as u64 {
            return Err(RecordError::TooLarge { length, limit: self.max_record_bytes });
        }
        self.buffer.advance(digits + 1);
        Ok(Some(length as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn records(pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>, RecordError> {
        let mut decoder = Decoder::with_limit(1000);
        let mut records = Vec::new();
        for piece in pieces {
            decoder.feed(piece);
            while let Some(record) = decoder.next_record()? {
                records.push(record.to_vec());
            }
        }
        decoder.finish().map(|()| records)
    }

    fn refused(stream: &[u8]) -> String {
        records(&[stream]).expect_err("this stream is refused").to_string()
    }

    #[test]
    fn records_follow_one_another_without_a_gap() {
        assert_eq!(encode(b"hello")[..], b"5\nhello"[..]);
        assert_eq!(records(&[b"5\nhello0\n3\nabc"]).unwrap(), [&b"hello"[..], b"", b"abc"]);
    }

    #[test]
    fn lengths_that_are_not_numbers_are_refused() {
        for stream in
            [&b"\nabc"[..], b"x", b"-1\n", b"+5\nhello", b" 5\nhello", b"5 \nhello", b"5\r\nhello"]
        {
            assert!(refused(stream).contains("not a decimal number"), "{stream:?}");
        }
    }

    #[test]
    fn endless_lengths_are_refused_without_waiting_for_their_end() {
        assert!(refused(b"00000000000000000000").contains("not a decimal number"));
        assert!(refused(b"9999999999999999999\n").contains("larger than the limit"));
    }

    #[test]
    fn records_over_the_limit_are_refused_before_they_arrive() {
        assert_eq!(
            refused(b"1001\n"),
            "a record of 1001 bytes is larger than the limit of 1000 bytes"
        );
    }

    #[test]
    fn a_stream_that_ends_inside_a_record_is_an_error() {
        for stream in [&b"5\nhell"[..], b"5\n", b"5", b"1\na2\n"] {
            assert!(refused(stream).contains("ended inside a record"), "{stream:?}");
        }
    }

    #[test]
    fn nothing_can_be_read_after_an_error() {
        let mut decoder = Decoder::default();
        decoder.feed(b"x");
        let error = decoder.next_record().unwrap_err();
        decoder.feed(b"5\nhello");
        assert_eq!(decoder.next_record(), Err(error.clone()));
        assert_eq!(decoder.finish(), Err(error));
    }

    proptest! {
        #[test]
        fn a_stream_split_at_any_byte_holds_the_same_records(
            sent in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let stream: Vec<u8> = sent.iter().flat_map(|record| encode(record)).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.push(0);
            cuts.push(stream.len());
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]).collect();
            prop_assert_eq!(records(&pieces)?, sent);
        }

        #[test]
        fn no_stream_makes_the_decoder_panic(stream in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = records(&[&stream]);
        }
    }
}
