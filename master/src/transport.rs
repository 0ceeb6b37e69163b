//! How the journals of the masters reach one another: frames over gRPC, on the masters' one port.

use bytes::Bytes;
use futures::StreamExt;
use journal::{BoxFuture, Frames, Peer, Transport, TransportError};
use protocol::quorum::Frame;
use protocol::quorum::quorum_client::QuorumClient;
use protocol::rpc;
use protocol::tls::Tls;
use tonic::Status;
use tonic::transport::Channel;

/// Makes connections. Each kind of traffic gets one of its own, so that no heartbeat waits behind a
/// snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Grpc(pub(crate) Option<Tls>);

impl Transport for Grpc {
    fn peer(&self, node: u64, address: &str) -> Box<dyn Peer> {
        let client = rpc::channel(address, self.0.as_ref())
            .map(rpc::quorum_client)
            .map_err(|error| TransportError(format!("cannot reach node {node}: {error}")));
        Box::new(GrpcPeer { client })
    }
}

#[derive(Clone, Debug)]
struct GrpcPeer {
    client: Result<QuorumClient<Channel>, TransportError>,
}

impl Peer for GrpcPeer {
    fn ask(&self, request: Bytes) -> BoxFuture<'_, Result<Bytes, TransportError>> {
        Box::pin(async move {
            let answer = self.client.clone()?.ask(Frame { body: request }).await;
            Ok(answer.map_err(failed)?.into_inner().body)
        })
    }

    fn append(&self, requests: Frames) -> BoxFuture<'_, Result<Frames, TransportError>> {
        Box::pin(async move {
            let answers = self.client.clone()?.append(outgoing(requests)).await;
            let answers = answers.map_err(failed)?.into_inner();
            let frames: Frames =
                answers.map(|answer| answer.map(|frame| frame.body).map_err(failed)).boxed();
            Ok(frames)
        })
    }

    fn snapshot(&self, chunks: Frames) -> BoxFuture<'_, Result<Bytes, TransportError>> {
        Box::pin(async move {
            let answer = self.client.clone()?.snapshot(outgoing(chunks)).await;
            Ok(answer.map_err(failed)?.into_inner().body)
        })
    }
}

/// Frames as gRPC sends them; the first one that cannot be had ends the stream.
fn outgoing(frames: Frames) -> impl futures::Stream<Item = Frame> + Send + 'static {
    frames
        .take_while(|frame| std::future::ready(frame.is_ok()))
        .filter_map(|frame| std::future::ready(frame.ok()))
        .map(|body| Frame { body })
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn failed(status: Status) -> TransportError {
    TransportError(format!("{}: {}", status.code(), status.message()))
}
