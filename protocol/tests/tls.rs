//! TLS on real sockets: who is let in, and who is believed.

use std::path::{Path, PathBuf};

use protocol::tls::{Tls, TlsFlags, Trust};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::ServerName;

/// A certificate for `name`, signed by itself, and its key, as files.
fn certificate(dir: &Path, name: &str) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    let (certificate, key) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}.key")));
    std::fs::write(&certificate, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    (certificate, key)
}

fn flags(certificate: &Path, key: &Path, takes_plain: bool) -> TlsFlags {
    TlsFlags {
        ssl_cert_file: Some(certificate.to_owned()),
        ssl_key_file: Some(key.to_owned()),
        ssl_ca_file: Some(certificate.to_owned()),
        ssl_support_downgrade: takes_plain,
    }
}

/// Echoes one byte of each connection that is accepted.
async fn serve(tls: Tls) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let tls = tls.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = tls.accept(stream).await else { return };
                if let Ok(byte) = stream.read_u8().await {
                    let _ = stream.write_u8(byte).await;
                    let _ = stream.shutdown().await;
                }
            });
        }
    });
    address
}

async fn say_plainly(address: &str) -> Option<u8> {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_u8(b'x').await.expect("written");
    stream.read_u8().await.ok()
}

async fn say_securely(address: &str, trust: &Trust) -> Option<u8> {
    let stream = TcpStream::connect(address).await.expect("connected");
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let mut stream = trust.connector.connect(name, stream).await.ok()?;
    stream.write_u8(b'x').await.ok()?;
    stream.read_u8().await.ok()
}

#[tokio::test]
async fn who_speaks_tls_is_served_and_others_if_that_is_wanted() {
    let dir = tempfile::tempdir().expect("a directory");
    let (certificate, key) = certificate(dir.path(), "127.0.0.1");
    let trust = Trust::load(Some(&certificate)).expect("trusted");
    for takes_plain in [false, true] {
        let tls = Tls::load(&flags(&certificate, &key, takes_plain));
        let address = serve(tls.expect("loaded").expect("asked for")).await;
        assert_eq!(say_securely(&address, &trust).await, Some(b'x'));
        assert_eq!(say_plainly(&address).await, takes_plain.then_some(b'x'));
    }
}

#[tokio::test]
async fn who_is_signed_by_others_or_named_otherwise_is_not_believed() {
    let dir = tempfile::tempdir().expect("a directory");
    let (ours, key) = certificate(dir.path(), "127.0.0.1");
    let (theirs, their_key) = certificate(dir.path(), "elsewhere.example");
    let tls = Tls::load(&flags(&ours, &key, false)).expect("loaded").expect("asked for");
    let address = serve(tls).await;
    for trusted in [Some(theirs.as_path()), None] {
        let trust = Trust::load(trusted).expect("trusted");
        assert_eq!(say_securely(&address, &trust).await, None);
    }
    let tls = Tls::load(&flags(&theirs, &their_key, false)).expect("loaded").expect("asked for");
    let trust = Trust::load(Some(&theirs)).expect("trusted");
    assert_eq!(say_securely(&serve(tls).await, &trust).await, None, "it is another name");
}

#[test]
fn files_of_no_use_are_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let (certificate, key) = certificate(dir.path(), "127.0.0.1");
    let (_, other_key) = self::certificate(dir.path(), "elsewhere.example");
    let check = |flags: &TlsFlags, expected: &str| {
        let error = Tls::load(flags).expect_err("of no use").to_string();
        assert_eq!(error.replace(&*dir.path().to_string_lossy(), "DIR"), expected);
    };
    let missing = dir.path().join("missing");
    check(&flags(&missing, &key, false), "cannot read a certificate in DIR/missing");
    check(&flags(&certificate, &missing, false), "cannot read a private key in DIR/missing");
    check(&flags(&key, &key, false), "cannot read a certificate in DIR/127.0.0.1.key");
    let unfit = "cannot use the certificate in DIR/127.0.0.1.pem";
    check(&flags(&certificate, &other_key, false), unfit);
    assert!(Tls::load(&TlsFlags::default()).expect("nothing to read").is_none());
}
