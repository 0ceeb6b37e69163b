//! TLS on the one port of masters and agents, and on the way to them. The flags have the names that
//! Mesos's environment has after `LIBPROCESS_` (Mesos's `docs/ssl.md`).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, server};
use tokio_util::either::Either;
use tonic::transport::{Certificate, ClientTlsConfig};

/// How long a peer may take to say its first byte, and to agree on a key.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The first byte of every TLS connection (RFC 8446, 5.1): a record that holds a handshake.
const HANDSHAKE: u8 = 22;

/// What a daemon is told about TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct TlsFlags {
    /// Certificate in PEM, followed by those that sign it; with it and its key, TLS is spoken on the port
    #[arg(
        long,
        alias = "ssl_cert_file",
        env = "LIBPROCESS_SSL_CERT_FILE",
        value_name = "PATH",
        requires = "ssl_key_file"
    )]
    pub ssl_cert_file: Option<PathBuf>,
    /// Private key of the certificate, in PEM
    #[arg(
        long,
        alias = "ssl_key_file",
        env = "LIBPROCESS_SSL_KEY_FILE",
        value_name = "PATH",
        requires = "ssl_cert_file"
    )]
    pub ssl_key_file: Option<PathBuf>,
    /// Certificates in PEM that sign those of the other masters and agents; by default the public ones
    #[arg(long, alias = "ssl_ca_file", env = "LIBPROCESS_SSL_CA_FILE", value_name = "PATH")]
    pub ssl_ca_file: Option<PathBuf>,
    /// Serve who does not speak TLS, too
    #[arg(
        long,
        alias = "ssl_support_downgrade",
        env = "LIBPROCESS_SSL_SUPPORT_DOWNGRADE",
        requires = "ssl_cert_file"
    )]
    pub ssl_support_downgrade: bool,
}

impl TlsFlags {
    /// Those that are set, as `/flags` shows them.
    pub fn shown(&self) -> Vec<(&'static str, String)> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let flags = [
            ("ssl_cert_file", path(&self.ssl_cert_file)),
            ("ssl_key_file", path(&self.ssl_key_file)),
            ("ssl_ca_file", path(&self.ssl_ca_file)),
            ("ssl_support_downgrade", self.ssl_support_downgrade.then(|| "true".to_owned())),
        ];
        flags.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds nothing of the kind.
    #[error("cannot read {what} in {path}")]
    Read {
        /// What was looked for.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why it was not found.
        source: pem::Error,
    },
    /// The key is not that of the certificate, or the certificate is of no use.
    #[error("cannot use the certificate in {path}")]
    Certificate {
        /// Its file.
        path: PathBuf,
        /// Why not.
        source: rustls::Error,
    },
}

/// A connection that was accepted, in plain text or not.
pub type Accepted = Either<TcpStream, server::TlsStream<TcpStream>>;

/// Both ends of a daemon's TLS.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    takes_plain: bool,
    pub(crate) trust: Trust,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("takes_plain", &self.takes_plain).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files that the flags name; none if they ask for no TLS.
    ///
    /// # Errors
    /// A file cannot be read, or certificate and key do not fit.
    pub fn load(flags: &TlsFlags) -> Result<Option<Self>, TlsError> {
        let (Some(path), Some(key_path)) = (&flags.ssl_cert_file, &flags.ssl_key_file) else {
            return Ok(None);
        };
        let key = PrivateKeyDer::from_pem_file(key_path).map_err(|source| TlsError::Read {
            what: "a private key",
            path: key_path.clone(),
            source,
        })?;
        let unfit = |source| TlsError::Certificate { path: path.clone(), source };
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unfit)?
            .with_no_client_auth()
            .with_single_cert(certificates(path, &read(path)?)?, key)
            .map_err(unfit)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let trust = Trust::load(flags.ssl_ca_file.as_deref())?;
        Ok(Some(Self { acceptor, takes_plain: flags.ssl_support_downgrade, trust }))
    }

    /// Agrees on a key with whoever connected.
    ///
    /// # Errors
    /// It speaks something else, or nothing.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<Accepted> {
        let accepted = async {
            let mut first = [0];
            let is_tls = stream.peek(&mut first).await? == 0 || first == [HANDSHAKE];
            if is_tls {
                self.acceptor.accept(stream).await.map(Either::Right)
            } else if self.takes_plain {
                Ok(Either::Left(stream))
            } else {
                Err(io::Error::new(io::ErrorKind::InvalidData, "no TLS is spoken on it"))
            }
        };
        timeout(HANDSHAKE_TIMEOUT, accepted).await.map_err(|_| io::ErrorKind::TimedOut)?
    }
}

/// Accepts a connection with TLS where there is any.
///
/// # Errors
/// As [`Tls::accept`].
pub async fn accept(tls: Option<&Tls>, stream: TcpStream) -> io::Result<Accepted> {
    match tls {
        Some(tls) => tls.accept(stream).await,
        None => Ok(Either::Left(stream)),
    }
}

/// Whose certificates are believed.
#[derive(Clone)]
pub struct Trust {
    /// For connections of one's own.
    pub connector: TlsConnector,
    /// For those that gRPC makes.
    pub(crate) channels: ClientTlsConfig,
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}

impl Trust {
    /// Trusts whom the certificates of a file sign, or else whom the public ones do.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn load(ca_file: Option<&Path>) -> Result<Self, TlsError> {
        let unfit = |source| TlsError::Certificate {
            path: ca_file.map(Path::to_owned).unwrap_or_default(),
            source,
        };
        let mut roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
        let mut channels = ClientTlsConfig::new();
        match ca_file {
            None => channels = channels.with_webpki_roots(),
            Some(path) => {
                roots = RootCertStore::empty();
                let text = read(path)?;
                for certificate in certificates(path, &text)? {
                    roots.add(certificate).map_err(unfit)?;
                }
                channels = channels.ca_certificate(Certificate::from_pem(text));
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unfit)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), channels })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| unread(path, pem::Error::Io(error)))
}

/// All certificates in the text of a file, at least one.
fn certificates(path: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| unread(path, source);
    let found = CertificateDer::pem_slice_iter(text);
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(failed)?;
    if found.is_empty() { Err(failed(pem::Error::NoItemsFound)) } else { Ok(found) }
}

fn unread(path: &Path, source: pem::Error) -> TlsError {
    TlsError::Read { what: "a certificate", path: path.to_owned(), source }
}
