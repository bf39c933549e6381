//! The real daemon, with one app whose worker is this program.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cocaine_core::wire::Value;
use rustix::process::{Pid, Signal, kill_process};

use crate::frames;
use crate::sockets::Address;

/// One worker that is never short of room.
const PROFILE: &str =
    r#"{"pool-limit": 1, "concurrency": 4096, "queue-limit": 100000, "heartbeat-timeout": 60}"#;

/// A running daemon, until it is dropped.
pub(crate) struct Daemon {
    pub(crate) address: Address,
    child: Child,
}

pub(crate) fn start(place: &Path) -> io::Result<Daemon> {
    let app = place.join("app");
    fs::create_dir(&app)?;
    let worker = std::env::current_exe()?;
    fs::write(app.join("manifest.json"), serde_json::json!({ "slave": worker }).to_string())?;
    fs::write(app.join("profile.json"), PROFILE)?;
    let child = Command::new(env!("CARGO_BIN_EXE_cocaine-runtime"))
        .args(["--listen", "127.0.0.1:0", "--data"])
        .arg(place.join("data"))
        .arg("--runtime-dir")
        .arg(place.join("run"))
        .arg("--log-file")
        .arg(place.join("log"))
        .arg("--app")
        .arg(format!("echo={}", app.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut daemon = Daemon { address: Address::Tcp(0), child };
    let locator = daemon.locator()?;
    daemon.address = Address::Tcp(resolve(&locator, "echo")?);
    Ok(daemon)
}

impl Daemon {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The locator's address, from the line that says that the daemon serves.
    fn locator(&mut self) -> io::Result<String> {
        let output = self.child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let found = line.split_whitespace().find_map(|word| word.strip_prefix("locator="));
        found.map(Into::into).ok_or_else(|| io::Error::other(format!("the daemon is not ready: {line:?}")))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // So that it can stop its worker.
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The port of an app's service.
fn resolve(locator: &str, app: &str) -> io::Result<u16> {
    let mut stream = TcpStream::connect(locator)?;
    let (mut call, mut answer) = (Vec::new(), Vec::new());
    frames::put(&mut call, 1, 0, Some(app.as_bytes()));
    stream.write_all(&call)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    loop {
        let mut buf = [0; 4096];
        let count = io::Read::read(&mut stream, &mut buf)?;
        answer.extend_from_slice(&buf[..count]);
        if let Ok((answer, _)) = Value::decode(&answer) {
            let port = port(&answer).and_then(|port| u16::try_from(port).ok());
            return port.ok_or_else(|| io::Error::other(format!("{app} is not to be found: {answer}")));
        }
        if count == 0 {
            return Err(io::Error::other("the locator closed the connection"));
        }
    }
}

/// Of `[channel, message, [[[host, port], …], version, methods]]`, the first port.
fn port(answer: &Value) -> Option<u64> {
    let resolved = answer.as_array()?.get(2)?.as_array()?;
    let endpoint = resolved.first()?.as_array()?.first()?.as_array()?;
    endpoint.get(1)?.as_u64()
}
