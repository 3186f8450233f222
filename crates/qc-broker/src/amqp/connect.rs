use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_rs::{Runtime, Tokio, util::RuntimeParts};
use lapin::{
    AsyncTcpStream, Channel, Connection, ConnectionProperties,
    uri::{AMQPScheme, AMQPUri},
};
use qc_model::Finding;
use rustls::{ClientConfig, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use super::{
    Address,
    line::{Line, Lines},
    refusal::{Doing, fault},
};
use crate::{Fault, codes};

/// How long the connection itself may take, TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the broker's handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// How long an orderly end may take.
pub(super) const CLOSE: Duration = Duration::from_secs(3);

/// Makes connections. One for the whole process.
#[derive(Clone)]
pub struct Client {
    authorities: Arc<Vec<CertificateDer<'static>>>,
    /// How brokers know this process: shown in their lists of connections.
    name: Arc<str>,
}

impl Client {
    /// A client; `authorities` are certificates (PEM) trusted beside the system's.
    pub fn new(authorities: Option<&[u8]>, name: &str) -> Result<Self, Box<Finding>> {
        let mut certificates = Vec::new();
        for certificate in authorities.into_iter().flat_map(CertificateDer::pem_slice_iter) {
            certificates.push(certificate.map_err(|error| {
                let message = format!("the private authorities cannot be read: {error}");
                Box::new(Finding::error(codes::TLS, message))
            })?);
        }
        Ok(Self { authorities: Arc::new(certificates), name: name.into() })
    }

    /// Connects and opens a channel.
    pub(super) async fn connect(&self, address: &Address) -> Result<(Connection, Channel), Fault> {
        let opened = Arc::new(AtomicBool::new(false));
        let tls = match address.uri().scheme {
            AMQPScheme::AMQP => None,
            AMQPScheme::AMQPS => Some(self.tls(address)?),
        };
        let (wanted, flag) = (address.clone(), Arc::clone(&opened));
        let line = move |_: AMQPUri, _: Runtime<RuntimeParts<Tokio, Lines>>| {
            let (address, tls, opened) = (wanted.clone(), tls.clone(), Arc::clone(&flag));
            async move {
                let line = timeout(CONNECT, line(&address, tls, opened)).await;
                let line = line.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
                Ok(AsyncTcpStream::Plain(line))
            }
        };
        let kit = RuntimeParts::new(Tokio::current(), Lines(Tokio::current()));
        let properties = ConnectionProperties::default().with_connection_name((*self.name).into());
        let connecting =
            Connection::connector(address.uri().clone(), Runtime::new(kit), line, properties);
        let silent = || {
            Fault::new(
                codes::UNREACHABLE,
                format!("the broker at {address} does not answer in time"),
                "see that it runs, and that nothing between swallows the connection",
            )
        };
        // The line gives up by itself; this is for everything else.
        let connection = timeout(CONNECT + HANDSHAKE + CLOSE, connecting)
            .await
            .map_err(|_| silent())?
            .map_err(|error| fault(&error, &Doing::Connect(address)))?;
        let channel = timeout(HANDSHAKE, connection.create_channel())
            .await
            .map_err(|_| silent())?
            .map_err(|error| fault(&error, &Doing::Connect(address)))?;
        opened.store(true, Ordering::Release);
        Ok((connection, channel))
    }

    fn tls(&self, address: &Address) -> Result<TlsConnector, Fault> {
        let unusable = |error: rustls::Error| {
            let help = "see the system's certificates and the setting `ca_bundle`";
            Fault::new(codes::TLS, format!("TLS to the broker at {address}: {error}"), help)
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let roots = self.authorities.iter().cloned();
        let verifier =
            rustls_platform_verifier::Verifier::new_with_extra_roots(roots, Arc::clone(&provider))
                .map_err(unusable)?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .dangerous()
            // Not less than the usual verification: the operating system's, with our own authorities.
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

async fn line(
    address: &Address,
    tls: Option<TlsConnector>,
    opened: Arc<AtomicBool>,
) -> io::Result<Line> {
    let authority = &address.uri().authority;
    let stream = TcpStream::connect((authority.host.as_str(), authority.port)).await?;
    stream.set_nodelay(true)?;
    let Some(tls) = tls else { return Ok(Line::plain(stream, HANDSHAKE, opened)) };
    let name = ServerName::try_from(authority.host.clone()).map_err(io::Error::other)?;
    Ok(Line::tls(tls.connect(name, stream).await?, HANDSHAKE, opened))
}

/// Ends a connection in order, as far as the broker plays along.
pub(super) async fn close(connection: &Connection) {
    drop(timeout(CLOSE, connection.close(200, "done".into())).await);
}
