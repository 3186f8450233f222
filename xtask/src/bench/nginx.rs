//! nginx as a bare proxy before the echo server: what a proxy that keeps nothing costs here.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A running nginx; it ends with this value.
pub(crate) struct Nginx {
    /// Where it listens.
    pub(crate) addr: SocketAddr,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Nginx {
    /// Starts one before `upstream`.
    pub(crate) fn start(upstream: SocketAddr) -> io::Result<Self> {
        Self::with(upstream, "", "")
    }

    /// Starts one that lets so many requests of each address through and refuses the others at once.
    pub(crate) fn limited(upstream: SocketAddr, rate: &str, burst: u32) -> io::Result<Self> {
        let zone = format!(
            "limit_req_zone $binary_remote_addr zone=each:10m rate={rate}; limit_req_status 429;"
        );
        Self::with(upstream, &zone, &format!("limit_req zone=each burst={burst} nodelay;"))
    }

    fn with(upstream: SocketAddr, everywhere: &str, there: &str) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let place = folder.path().display();
        let config = format!(
            "daemon off; pid {place}/pid; error_log {place}/error.log; worker_processes 2;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n access_log off; client_body_temp_path {place}/b; proxy_temp_path {place}/p;\n\
             fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;\n\
             {everywhere}\n\
             upstream echo {{ server {upstream}; keepalive 128; }}\n\
             server {{ listen {addr}; keepalive_requests 1000000000;\n\
             location / {{ {there} proxy_pass http://echo; proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }} }}\n"
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, config)?;
        let child = Command::new("nginx")
            .arg("-c")
            .arg(&file)
            .arg("-p")
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let started = Self { addr, child, _folder: folder };
        let patience = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(addr).is_err() {
            if Instant::now() > patience {
                return Err(io::Error::other("it does not listen"));
            }
            std::thread::yield_now();
        }
        Ok(started)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Ended by its own id; its workers end with it.
        let _ = Command::new("kill").arg("-QUIT").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}
