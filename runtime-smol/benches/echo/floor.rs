//! The floor: an echo server, one thread, one epoll set.

use std::io;

use crate::frames;
use crate::sockets::{Listener, Poll, Stream};

struct Conn {
    stream: Stream,
    buf: Vec<u8>,
    len: usize,
}

/// Serves until it is killed.
pub(crate) fn serve(listener: &Listener) -> io::Result<()> {
    let mut poll = Poll::new()?;
    poll.add(listener, 0)?;
    let mut conns: Vec<Option<Conn>> = vec![None];
    let (mut ready, mut out) = (Vec::new(), Vec::new());
    loop {
        poll.wait(&mut ready)?;
        for number in &ready {
            if *number == 0 {
                let stream = listener.accept()?;
                poll.add(&stream, conns.len())?;
                conns.push(Some(Conn { stream, buf: vec![0; 256 * 1024], len: 0 }));
            } else if let Some(conn) = &mut conns[*number]
                && !conn.echo(&mut out)
            {
                conns[*number] = None;
            }
        }
    }
}

impl Conn {
    /// Whether the client is still there.
    fn echo(&mut self, out: &mut Vec<u8>) -> bool {
        let Ok(Some(count)) = self.stream.receive(&mut self.buf[self.len..]) else { return false };
        self.len += count;
        let mut at = 0;
        out.clear();
        while let Some(frame) = frames::next(&self.buf[at..self.len]) {
            frames::echo(out, &frame);
            at += frame.len;
        }
        self.buf.copy_within(at..self.len, 0);
        self.len -= at;
        self.stream.send_all(out).is_ok()
    }
}
