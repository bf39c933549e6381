//! The load: a number of connections, each with a number of requests outstanding.

use std::io;
use std::time::Instant;

use crate::frames;
use crate::process;
use crate::sockets::{Address, Poll, Stream};

#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) name: &'static str,
    pub(crate) connections: usize,
    pub(crate) outstanding: u64,
    pub(crate) requests: u64,
}

/// What a run gave.
pub(crate) struct Run {
    pub(crate) per_second: f64,
    /// Latencies in microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// CPU time of the server for each request, in microseconds.
    pub(crate) cpu: f64,
    /// The most memory the server had, in KiB.
    pub(crate) peak: f64,
}

struct Conn {
    stream: Stream,
    buf: Vec<u8>,
    len: usize,
    out: Vec<u8>,
    /// The last channel that was opened.
    channel: u64,
    /// When each of the latest was, by its last bits.
    opened: Vec<Instant>,
}

/// More than are ever outstanding on a connection, and a power of two.
const RING: u64 = 1024;

pub(crate) fn run(address: &Address, load: &Load, server: u32) -> io::Result<Run> {
    let mut poll = Poll::new()?;
    let mut conns = Vec::new();
    for number in 0..load.connections {
        let conn = Conn::new(address)?;
        poll.add(&conn.stream, number)?;
        conns.push(conn);
    }
    process::forget_peak(server);
    let before = process::cpu(server)?;
    let begin = Instant::now();
    let latencies = drive(&mut poll, &mut conns, load)?;
    let seconds = begin.elapsed().as_secs_f64();
    let cpu = (process::cpu(server)? - before).as_secs_f64() * 1e6 / load.requests as f64;
    let peak = process::peak(server)?;
    let [p50, p99] = percentiles(latencies);
    Ok(Run { per_second: load.requests as f64 / seconds, p50, p99, cpu, peak })
}

fn drive(poll: &mut Poll, conns: &mut [Conn], load: &Load) -> io::Result<Vec<u32>> {
    let mut left = load.requests;
    for conn in conns.iter_mut() {
        for _ in 0..load.outstanding.min(left) {
            conn.open();
            left -= 1;
        }
        conn.flush()?;
    }
    let mut latencies = Vec::with_capacity(load.requests as usize);
    let mut ready = Vec::new();
    while (latencies.len() as u64) < load.requests {
        poll.wait(&mut ready)?;
        if ready.is_empty() {
            let text = format!("nothing came for 10 s, after {} answers", latencies.len());
            return Err(io::Error::other(text));
        }
        for number in &ready {
            conns[*number].receive(&mut left, &mut latencies)?;
        }
    }
    Ok(latencies)
}

impl Conn {
    fn new(address: &Address) -> io::Result<Self> {
        let opened = vec![Instant::now(); RING as usize];
        let (buf, stream) = (vec![0; 256 * 1024], Stream::connect(address)?);
        Ok(Self { stream, buf, len: 0, out: Vec::new(), channel: 0, opened })
    }

    fn open(&mut self) {
        self.channel += 1;
        self.opened[(self.channel % RING) as usize] = Instant::now();
        frames::put_request(&mut self.out, self.channel);
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.send_all(&self.out)?;
        self.out.clear();
        Ok(())
    }

    fn receive(&mut self, left: &mut u64, latencies: &mut Vec<u32>) -> io::Result<()> {
        let Some(count) = self.stream.receive(&mut self.buf[self.len..])? else {
            return Err(io::Error::other("the server closed the connection"));
        };
        self.len += count;
        let (now, mut at) = (Instant::now(), 0);
        while let Some(frame) = frames::next(&self.buf[at..self.len]) {
            at += frame.len;
            match frame.message {
                frames::CLOSE => {
                    let opened = self.opened[(frame.channel % RING) as usize];
                    latencies.push(u32::try_from((now - opened).as_nanos()).unwrap_or(u32::MAX));
                    if *left > 0 {
                        *left -= 1;
                        self.channel += 1;
                        self.opened[(self.channel % RING) as usize] = now;
                        frames::put_request(&mut self.out, self.channel);
                    }
                }
                frames::ERROR => {
                    return Err(io::Error::other(format!(
                        "a request failed: {:?}",
                        &self.buf[at - frame.len..at]
                    )));
                }
                _ => {}
            }
        }
        self.buf.copy_within(at..self.len, 0);
        self.len -= at;
        self.flush()
    }
}

/// The 50th and the 99th, in microseconds.
fn percentiles(mut latencies: Vec<u32>) -> [f64; 2] {
    latencies.sort_unstable();
    [50, 99].map(|percent| f64::from(latencies[latencies.len() * percent / 100]) / 1000.0)
}
