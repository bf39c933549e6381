//! An app's worker that does nothing but echo, as fast as a worker can be.

use std::io;
use std::time::{Duration, Instant};

use crate::frames::{self, Frame};
use crate::sockets::{Address, Stream};

/// The channel of handshake, heartbeats and terminate.
const CONTROL: u64 = 1;
const HEARTBEAT: u64 = 0;
const TERMINATE: u64 = 1;
const BEAT: Duration = Duration::from_secs(5);

/// Serves the runtime at this socket until it wants the worker gone.
pub(crate) fn serve(endpoint: &str, uuid: &str) -> io::Result<()> {
    let mut stream = Stream::connect(&Address::Unix(endpoint.into()))?;
    stream.read_timeout(BEAT)?;
    let (mut buf, mut len, mut out) = (vec![0; 256 * 1024], 0, Vec::new());
    frames::put(&mut out, CONTROL, 0, Some(uuid.as_bytes()));
    frames::put(&mut out, CONTROL, HEARTBEAT, None);
    let mut beat = Instant::now();
    loop {
        stream.send_all(&out)?;
        out.clear();
        match stream.receive(&mut buf[len..]) {
            Ok(Some(count)) => len += count,
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        let mut at = 0;
        while let Some(frame) = frames::next(&buf[at..len]) {
            at += frame.len;
            if is_farewell(&frame) {
                frames::put_farewell(&mut out);
                return stream.send_all(&out);
            }
            if frame.channel != CONTROL {
                frames::echo(&mut out, &frame);
            }
        }
        buf.copy_within(at..len, 0);
        len -= at;
        if beat.elapsed() >= BEAT {
            frames::put(&mut out, CONTROL, HEARTBEAT, None);
            beat = Instant::now();
        }
    }
}

fn is_farewell(frame: &Frame<'_>) -> bool {
    (frame.channel, frame.message) == (CONTROL, TERMINATE)
}
