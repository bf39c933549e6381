//! The floor of two hops: bytes between each accepted connection and one of its own behind it.

use std::io;

use crate::sockets::{Address, Listener, Poll, Stream};

/// Serves until it is killed.
pub(crate) fn serve(listener: &Listener, behind: &Address) -> io::Result<()> {
    let mut poll = Poll::new()?;
    poll.add(listener, 0)?;
    // The two of a pair are neighbours: an even number and the odd one behind it.
    let mut streams: Vec<Option<Stream>> = vec![None, None];
    let (mut ready, mut buf) = (Vec::new(), vec![0; 256 * 1024]);
    loop {
        poll.wait(&mut ready)?;
        for number in &ready {
            if *number == 0 {
                for stream in [listener.accept()?, Stream::connect(behind)?] {
                    poll.add(&stream, streams.len())?;
                    streams.push(Some(stream));
                }
            } else if !copy(&mut streams, *number, &mut buf) {
                streams[*number] = None;
                streams[*number ^ 1] = None;
            }
        }
    }
}

/// Whether both are still there.
fn copy(streams: &mut [Option<Stream>], from: usize, buf: &mut [u8]) -> bool {
    let Some(stream) = &mut streams[from] else { return true };
    let Ok(Some(count)) = stream.receive(buf) else { return false };
    streams[from ^ 1].as_mut().is_some_and(|other| other.send_all(&buf[..count]).is_ok())
}
