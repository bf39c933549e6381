//! One end of a connection, blocking and without manners: it sends what it is told and shows what it gets.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use cocaine_core::wire::{Dialect, HeaderDecoder, Limits, Scanner, Value, encode, v0, v1};

/// Either kind of stream socket.
#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    fn read(&mut self, buffer: &mut [u8], within: Duration) -> io::Result<usize> {
        let time = Some(within.max(Duration::from_millis(1)));
        match self {
            Self::Tcp(socket) => socket.set_read_timeout(time).and_then(|()| socket.read(buffer)),
            Self::Unix(socket) => socket.set_read_timeout(time).and_then(|()| socket.read(buffer)),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.write_all(bytes),
            Self::Unix(socket) => socket.write_all(bytes),
        }
    }
}

/// A frame as it came. In the older dialect `channel` is the session.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Message {
    pub(super) channel: u64,
    pub(super) message: u32,
    pub(super) args: Vec<Value>,
    pub(super) headers: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What came.
#[derive(Debug)]
pub(super) enum Got {
    Message(Message),
    /// The other end has closed the connection, or reset it.
    End,
    /// Nothing, in time.
    Nothing,
}

#[derive(Debug)]
pub(super) struct Peer {
    socket: Socket,
    dialect: Dialect,
    scanner: Scanner,
    headers: HeaderDecoder,
    received: Vec<u8>,
}

impl Peer {
    pub(super) fn tcp(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        Ok(Self::new(Socket::Tcp(socket), Dialect::V1))
    }

    pub(super) fn unix(path: &Path, dialect: Dialect) -> io::Result<Self> {
        Ok(Self::new(Socket::Unix(UnixStream::connect(path)?), dialect))
    }

    fn new(socket: Socket, dialect: Dialect) -> Self {
        Self {
            socket,
            dialect,
            scanner: Scanner::new(Limits::default()),
            headers: HeaderDecoder::new(),
            received: Vec::new(),
        }
    }

    pub(super) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Drops the connection for another one.
    pub(super) fn replace(&mut self, other: UnixStream) {
        self.socket = Socket::Unix(other);
    }

    /// Sends bytes as they are.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write(bytes)
    }

    /// Sends a frame.
    pub(super) fn send(&mut self, channel: u64, message: u32, args: &[Value]) -> io::Result<()> {
        self.raw(&frame(self.dialect, channel, message, args))
    }

    /// The next frame.
    pub(super) fn next(&mut self, within: Duration) -> Got {
        let deadline = Instant::now() + within;
        loop {
            if let Some(message) = self.cut() {
                return Got::Message(message);
            }
            let mut buffer = [0; 64 * 1024];
            match self.socket.read(&mut buffer, deadline.saturating_duration_since(Instant::now())) {
                Ok(0) => return Got::End,
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Got::End,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if Instant::now() >= deadline {
                        return Got::Nothing;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("cannot read: {error}"),
            }
        }
    }

    fn cut(&mut self) -> Option<Message> {
        let frame = self.scanner.scan(&self.received).expect("the daemon speaks the protocol")?;
        let bytes: Vec<u8> = self.received.drain(..frame.len).collect();
        let (channel, message, args, headers) = match self.dialect {
            Dialect::V1 => {
                let head = v1::head(&bytes, &frame).expect("a frame of this dialect");
                (head.channel, head.message, head.args, head.headers)
            }
            Dialect::V0 => {
                let head = v0::head(&bytes, &frame).expect("a frame of this dialect");
                (head.session, head.message, head.args, 0..0)
            }
        };
        let (args, _) = Value::decode(&bytes[args]).expect("the scanner saw it");
        let headers = match &bytes[headers] {
            [] => Vec::new(),
            list => self.headers.decode(list, &Limits::default()).expect("headers"),
        };
        let headers = headers.iter().map(|header| (header.name.to_vec(), header.value.to_vec())).collect();
        Some(Message { channel, message, args: args.as_array().expect("arguments").to_vec(), headers })
    }
}

/// The bytes of a frame without headers.
pub(super) fn frame(dialect: Dialect, channel: u64, message: u32, args: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let write = |out: &mut Vec<u8>| {
        encode::array(out, args.len());
        args.iter().for_each(|arg| arg.encode(out));
    };
    match dialect {
        Dialect::V1 => v1::frame(&mut bytes, channel, message, write),
        Dialect::V0 => v0::frame(&mut bytes, message, channel, write),
    }
    bytes
}
