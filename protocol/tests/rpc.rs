//! Both of our services, over real sockets on loopback.

use protocol::agents::agents_server::Agents;
use protocol::agents::{FromAgent, Hello, Ping, ToAgent, Welcome, from_agent, to_agent};
use protocol::quorum::quorum_client::QuorumClient;
use protocol::quorum::quorum_server::Quorum;
use protocol::quorum::{
    ChangeReply, ChangeRequest, Frame, IdentifyRequest, Identity, QuorumStatus, ShowRequest,
};
use protocol::rpc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

type Replies<T> = std::pin::Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Welcomes each agent under the id it brings, then answers every message with a ping.
struct Greeter;

#[tonic::async_trait]
impl Agents for Greeter {
    type SessionStream = Replies<ToAgent>;

    async fn session(
        &self,
        request: Request<Streaming<FromAgent>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let replies = request.into_inner().map(|message| {
            let message = match message?.message {
                Some(from_agent::Message::Hello(hello)) => to_agent::Message::Welcome(Welcome {
                    agent_id: hello.agent_id,
                    ..Welcome::default()
                }),
                _ => to_agent::Message::Ping(Ping {}),
            };
            Ok(ToAgent { message: Some(message) })
        });
        Ok(Response::new(Box::pin(replies)))
    }
}

/// Echoes frames.
struct Echo;

#[tonic::async_trait]
impl Quorum for Echo {
    type AppendStream = Replies<Frame>;

    async fn identify(&self, _: Request<IdentifyRequest>) -> Result<Response<Identity>, Status> {
        Ok(Response::new(Identity { node_id: 7, ..Identity::default() }))
    }

    async fn ask(&self, request: Request<Frame>) -> Result<Response<Frame>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn append(
        &self,
        request: Request<Streaming<Frame>>,
    ) -> Result<Response<Self::AppendStream>, Status> {
        Ok(Response::new(Box::pin(request.into_inner())))
    }

    async fn snapshot(
        &self,
        request: Request<Streaming<Frame>>,
    ) -> Result<Response<Frame>, Status> {
        let mut chunks = request.into_inner();
        let mut body = Vec::new();
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk?.body);
        }
        Ok(Response::new(Frame { body: body.into() }))
    }

    async fn change(&self, _: Request<ChangeRequest>) -> Result<Response<ChangeReply>, Status> {
        Err(Status::failed_precondition("not the leader"))
    }

    async fn show(&self, _: Request<ShowRequest>) -> Result<Response<QuorumStatus>, Status> {
        Ok(Response::new(QuorumStatus { term: 3, ..QuorumStatus::default() }))
    }
}

async fn serve() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = tonic::transport::Server::builder()
        .add_service(rpc::agents_server(Greeter))
        .add_service(rpc::quorum_server(Echo))
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);
    address
}

fn frame(bytes: usize) -> Frame {
    Frame { body: vec![7; bytes].into() }
}

#[tokio::test]
async fn an_agent_holds_a_session() {
    let mut client = rpc::agents_client(rpc::channel(&serve().await, None).unwrap());
    let (sender, receiver) = mpsc::channel(1);
    let mut replies = client.session(ReceiverStream::new(receiver)).await.unwrap().into_inner();

    let hello = Hello { version: rpc::VERSION, agent_id: "a".to_owned(), ..Hello::default() };
    let hello = from_agent::Message::Hello(hello);
    sender.send(FromAgent { message: Some(hello) }).await.unwrap();
    let welcome = replies.message().await.unwrap().unwrap().message;
    assert!(
        matches!(welcome, Some(to_agent::Message::Welcome(welcome)) if welcome.agent_id == "a")
    );

    sender.send(FromAgent { message: None }).await.unwrap();
    let ping = replies.message().await.unwrap().unwrap().message;
    assert_eq!(ping, Some(to_agent::Message::Ping(Ping {})));

    drop(sender);
    assert_eq!(replies.message().await.unwrap(), None);
}

#[tokio::test]
async fn masters_talk_in_frames_larger_than_tonic_would_take() {
    let mut client = rpc::quorum_client(rpc::channel(&serve().await, None).unwrap());
    let large = frame(10 << 20);
    assert_eq!(client.ask(large.clone()).await.unwrap().into_inner(), large);

    let chunks = tokio_stream::iter([frame(1), frame(2), frame(3)]);
    assert_eq!(client.snapshot(chunks).await.unwrap().into_inner(), frame(6));

    let frames = tokio_stream::iter([frame(1), frame(2)]);
    let echoed = client.append(frames).await.unwrap().into_inner();
    let echoed: Vec<Frame> = echoed.map(Result::unwrap).collect().await;
    assert_eq!(echoed, [frame(1), frame(2)]);
}

#[tokio::test]
async fn a_frame_over_the_limit_is_refused_and_the_connection_lives() {
    let channel = rpc::channel(&serve().await, None).unwrap();
    // A client that knows no limit, as a hostile one would not.
    let mut client = QuorumClient::new(channel);
    let error = client.ask(frame(rpc::MAX_FRAME_BYTES + 1)).await.unwrap_err();
    assert_eq!(error.code(), tonic::Code::OutOfRange);
    assert_eq!(client.show(ShowRequest {}).await.unwrap().into_inner().term, 3);
}

#[tokio::test]
async fn errors_arrive_with_their_code() {
    let mut client = rpc::quorum_client(rpc::channel(&serve().await, None).unwrap());
    assert_eq!(client.identify(IdentifyRequest {}).await.unwrap().into_inner().node_id, 7);
    let error = client.change(ChangeRequest::default()).await.unwrap_err();
    assert_eq!(error.code(), tonic::Code::FailedPrecondition);
}

#[test]
fn an_address_that_is_none_is_named() {
    let error = rpc::channel("no host", None).unwrap_err();
    assert_eq!(error.to_string(), "'no host' is not an address of the form host:port");
}
