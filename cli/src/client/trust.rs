//! Whom the commands of this process believe, if they speak TLS at all: said once, on the command line.

use std::io;
use std::path::Path;
use std::sync::OnceLock;

use protocol::tls::{TlsError, Trust};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_util::either::Either;

use super::address::Address;

static TRUST: OnceLock<Trust> = OnceLock::new();

/// Where the file may be named instead of on the command line, as for daemons.
pub(crate) const TRUST_FILE: &str = "LIBPROCESS_SSL_CA_FILE";

/// From now on TLS is spoken with masters and agents, whose certificates those of a file must sign.
/// Reads the flag as well: whatever of a command connects first, it is said by then.
pub(crate) fn believe(ca_file: &str) -> Result<(), TlsError> {
    let trust = Trust::load(Some(Path::new(ca_file)))?;
    // there is one command line
    let _ = TRUST.set(trust);
    Ok(())
}

/// Who is believed; none if no TLS is spoken.
pub(crate) fn trust() -> Option<&'static Trust> {
    TRUST.get()
}

/// Agrees on a key with a peer, if TLS is spoken.
pub(super) async fn secure(
    address: &Address,
    stream: TcpStream,
) -> io::Result<Either<TcpStream, TlsStream<TcpStream>>> {
    let Some(trust) = trust() else { return Ok(Either::Left(stream)) };
    let host = address.host().to_owned();
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    trust.connector.connect(name, stream).await.map(Either::Right)
}
