//! A Mesos message inside a checkpoint: its protobuf bytes, so that fields only ever get added.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use prost::Message;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A protobuf message that serde sees as its bytes.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Wire<M>(pub(crate) M);

impl<M> Deref for Wire<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.0
    }
}

impl<M> DerefMut for Wire<M> {
    fn deref_mut(&mut self) -> &mut M {
        &mut self.0
    }
}

impl<M: Message> Serialize for Wire<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0.encode_to_vec())
    }
}

impl<'de, M: Message + Default> Deserialize<'de> for Wire<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes<M>(PhantomData<M>);

        impl<M: Message + Default> Visitor<'_> for Bytes<M> {
            type Value = Wire<M>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the bytes of a protobuf message")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Wire<M>, E> {
                M::decode(bytes).map(Wire).map_err(E::custom)
            }
        }

        deserializer.deserialize_bytes(Bytes(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use protocol::v1;

    use super::*;

    #[test]
    fn a_message_is_read_back() {
        let id = Wire(v1::TaskId { value: "t".to_owned() });
        let bytes = rmp_serde::to_vec_named(&id).expect("encoded");
        assert_eq!(rmp_serde::from_slice::<Wire<v1::TaskId>>(&bytes).expect("decoded"), id);
    }

    #[test]
    fn other_bytes_are_refused() {
        let bytes =
            rmp_serde::to_vec_named(&serde_bytes::Bytes::new(b"\xff\xff")).expect("encoded");
        assert!(rmp_serde::from_slice::<Wire<v1::TaskId>>(&bytes).is_err());
    }
}
