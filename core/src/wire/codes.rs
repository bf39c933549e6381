//! Every error code that has a meaning on the wire, with its usual text: one table, one row each.
//!
//! The texts are what other programs print and sometimes compare, their spelling included.

use super::error::ErrorCode;

/// The numbers of the error categories, the same in every process.
pub mod category {
    /// Errors of the operating system (POSIX errno).
    pub const SYSTEM: u32 = 1;
    /// Errors of sockets (POSIX errno).
    pub const ASIO_SYSTEM: u32 = 2;
    /// Errors of name resolution.
    pub const ASIO_NETDB: u32 = 3;
    /// Errors of address resolution.
    pub const ASIO_ADDRINFO: u32 = 4;
    /// What sockets say that is no errno: end of file.
    pub const ASIO_MISC: u32 = 5;
    /// Framing.
    pub const TRANSPORT: u32 = 6;
    /// Finding and calling a method.
    pub const DISPATCH: u32 = 7;
    /// Plugins of a node.
    pub const REPOSITORY: u32 = 8;
    /// Tokens and permissions.
    pub const SECURITY: u32 = 9;
    /// The locator.
    pub const LOCATOR: u32 = 10;
    /// Distributed configuration and locks.
    pub const UNICORN: u32 = 11;
    /// POSIX errno without a system call behind it: storage, stopped apps, plain failures.
    pub const GENERIC: u32 = 12;
    /// Use of a channel against the protocol, noticed by the user's own side.
    pub const PROTOCOL: u32 = 13;
    /// Errors of apps.
    pub const WORKER: u32 = 42;
    /// Errors of apps, with numbers of their own.
    pub const WORKER_USER: u32 = 43;
    /// What a category is sent as that has no number.
    pub const UNKNOWN: u32 = 255;
    /// The PostgreSQL storage.
    pub const POSTGRES: u32 = 16_572;
    /// Talking to Docker.
    pub const DOCKER: u32 = 20_735;
    /// Apps on a node.
    pub const NODE: u32 = 20_991;
    /// One app's queue and pool.
    pub const OVERSEER: u32 = 21_247;
    /// One worker.
    pub const SLAVE: u32 = 21_503;
}

/// The categories with their names.
pub const CATEGORIES: &[(u32, &str)] = &[
    (category::SYSTEM, "system"),
    (category::ASIO_SYSTEM, "asio.system"),
    (category::ASIO_NETDB, "asio.netdb"),
    (category::ASIO_ADDRINFO, "asio.addrinfo"),
    (category::ASIO_MISC, "asio.misc"),
    (category::TRANSPORT, "cocaine.rpc.transport"),
    (category::DISPATCH, "cocaine.rpc.dispatch"),
    (category::REPOSITORY, "cocaine.plugins"),
    (category::SECURITY, "cocaine security"),
    (category::LOCATOR, "cocaine.service.locator"),
    (category::UNICORN, "cocaine.plugins.unicorn"),
    (category::GENERIC, "generic"),
    (category::PROTOCOL, "cocaine.rpc.protocol"),
    (category::WORKER, "worker category"),
    (category::WORKER_USER, "worker user category"),
    (category::UNKNOWN, "unknown category"),
    (category::POSTGRES, "postgres category"),
    (category::DOCKER, "docker curl"),
    (category::NODE, "node category"),
    (category::OVERSEER, "node.overseer"),
    (category::SLAVE, "node.slave"),
];

macro_rules! codes {
    ($($name:ident = $category:ident, $code:literal, $text:literal;)*) => {
        $(
            #[doc = concat!("`", stringify!($category), "`, ", $code, ": ", $text, ".")]
            pub const $name: ErrorCode = ErrorCode::new(category::$category, $code);
        )*

        /// All codes with their texts.
        pub const ROWS: &[(ErrorCode, &str)] = &[$(($name, $text)),*];
    };
}

codes! {
    SOCKET_ABORTED = ASIO_SYSTEM, 125, "Operation aborted.";
    END_OF_FILE = ASIO_MISC, 2, "End of file";

    BAD_FRAME = TRANSPORT, 1, "message has an unexpected framing";
    BAD_HEADERS = TRANSPORT, 2, "unable to decode message metadata";
    INCOMPLETE = TRANSPORT, 3, "insufficient bytes provided to decode the message";
    BAD_BYTES = TRANSPORT, 4, "unable to parse the incoming data";

    DUPLICATE_SLOT = DISPATCH, 1, "duplicate slot";
    BAD_ARGUMENTS = DISPATCH, 2, "unable to decode message arguments";
    SESSION_DETACHED = DISPATCH, 3, "session is detached";
    REVOKED_CHANNEL = DISPATCH, 4, "specified channel was revoked";
    SLOT_NOT_BOUND = DISPATCH, 5, "specified slot is not bound";
    UNBOUND_DISPATCH = DISPATCH, 6, "no dispatch has been assigned for channel";
    UNCAUGHT = DISPATCH, 7, "uncaught invocation exception";

    COMPONENT_NOT_FOUND = REPOSITORY, 1, "component is not available";
    DUPLICATE_COMPONENT = REPOSITORY, 2, "duplicate component";
    COMPONENT_FAILED = REPOSITORY, 3, "component has failed to intialize";
    INVALID_INTERFACE = REPOSITORY, 4, "component has an invalid interface";
    LTDL_ERROR = REPOSITORY, 5, "internal libltdl error";
    VERSION_MISMATCH = REPOSITORY, 6, "component version requirements are not met";
    COMPONENT_NOT_REGISTERED = REPOSITORY, 7, "component has not been registered in repository";

    TOKEN_NOT_FOUND = SECURITY, 1, "specified token is not available";
    UNAUTHORIZED = SECURITY, 2, "unauthorized";
    PERMISSION_DENIED = SECURITY, 3, "permission denied";
    PERMISSIONS_CHANGED = SECURITY, 4, "permissions changed";
    INVALID_ACL = SECURITY, 5, "invalid ACL framing";

    SERVICE_NOT_AVAILABLE = LOCATOR, 1, "service is not available";
    ROUTING_STORAGE_ERROR = LOCATOR, 2, "routing storage is unavailable";
    MISSING_VERSION = LOCATOR, 3, "missing protocol version";
    GATEWAY_DUPLICATE_SERVICE = LOCATOR, 4, "duplicate service provided to gateway";
    GATEWAY_MISSING_SERVICE = LOCATOR, 5, "service is missing in gateway";

    UNICORN_CHILD_NOT_ALLOWED = UNICORN, 1, "can not get value of a node with childs";
    UNICORN_INVALID_TYPE = UNICORN, 2, "invalid type of value stored for requested operation";
    UNICORN_INVALID_VALUE = UNICORN, 3, "could not unserialize value stored in zookeeper";
    UNICORN_UNKNOWN = UNICORN, 4, "unknown zookeeper error";
    UNICORN_INVALID_NODE = UNICORN, 5, "invalid node name specified";
    UNICORN_INVALID_PATH = UNICORN, 6, "invalid path specified";
    UNICORN_VERSION = UNICORN, 7, "specified version is not allowed for command";
    UNICORN_NO_NODE = UNICORN, 8, "node not exists";
    UNICORN_NODE_EXISTS = UNICORN, 9, "node already exists";
    UNICORN_CONNECTION_LOST = UNICORN, 10, "connection has been lost";
    UNICORN_BACKEND = UNICORN, 11, "internal backend error";

    NOT_FOUND = GENERIC, 2, "No such file or directory";
    UNREADABLE = GENERIC, 13, "Permission denied";
    NOT_A_DIRECTORY = GENERIC, 20, "Not a directory";
    INVALID_ARGUMENT = GENERIC, 22, "Invalid argument";
    APP_STOPPED = GENERIC, 32, "application has been stopped";

    CLOSED_UPSTREAM = PROTOCOL, 1, "protocol violation - upstream was already closed";

    EVENT_NOT_FOUND = WORKER, 1, "event not found";

    POSTGRES_ERROR = POSTGRES, 1, "postgres error";

    INVOCATION_DEADLINE = NODE, 1, "invocation deadline has passed";
    NO_RESOURCES = NODE, 2, "no resources available to complete invocation";
    REQUEST_TIMED_OUT = NODE, 3, "invocation has timed out";
    ASSIGN_FAILED = NODE, 4, "failed to assign event to a slave";
    ALREADY_STARTED = NODE, 5, "application has already been started";
    NOT_RUNNING = NODE, 6, "application is not running";
    SPOOL_FAILED = NODE, 7, "uncaught error while spooling app";
    PUBLISH_FAILED = NODE, 8, "uncaught error while publishing app";

    QUEUE_IS_FULL = OVERSEER, 1, "queue is full";
    POOL_IS_FULL = OVERSEER, 2, "pool is full";

    SPAWN_TIMEOUT = SLAVE, 1, "timed out while spawning";
    LOCATOR_NOT_FOUND = SLAVE, 2, "locator not found";
    NO_LOCATOR_ENDPOINTS = SLAVE, 3, "locator endpoints set is empty";
    ACTIVATE_TIMEOUT = SLAVE, 4, "timed out while activating";
    ACTIVATE_FAILED = SLAVE, 5, "unknown activate error";
    SEAL_TIMEOUT = SLAVE, 6, "timed out while sealing";
    TERMINATE_TIMEOUT = SLAVE, 7, "timed out while terminating";
    HEARTBEAT_TIMEOUT = SLAVE, 8, "timed out while waiting for heartbeat";
    INVALID_STATE = SLAVE, 9, "invalid state";
    CONTROL_IPC = SLAVE, 10, "unexpected control IPC error";
    OVERSEER_SHUTDOWN = SLAVE, 11, "overseer is shutting down";
    COMMITTED_SUICIDE = SLAVE, 12, "slave has committed suicide";
    SLAVE_IS_IDLE = SLAVE, 13, "slave is idle";
    SLAVE_IS_SEALING = SLAVE, 14, "slave is sealing";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What other implementations send, written out a second time as numbers.
    const EXPECTED: &[(u32, i32, &str)] = &[
        (2, 125, "Operation aborted."),
        (5, 2, "End of file"),
        (6, 1, "message has an unexpected framing"),
        (6, 2, "unable to decode message metadata"),
        (6, 3, "insufficient bytes provided to decode the message"),
        (6, 4, "unable to parse the incoming data"),
        (7, 1, "duplicate slot"),
        (7, 2, "unable to decode message arguments"),
        (7, 3, "session is detached"),
        (7, 4, "specified channel was revoked"),
        (7, 5, "specified slot is not bound"),
        (7, 6, "no dispatch has been assigned for channel"),
        (7, 7, "uncaught invocation exception"),
        (8, 1, "component is not available"),
        (8, 2, "duplicate component"),
        (8, 3, "component has failed to intialize"),
        (8, 4, "component has an invalid interface"),
        (8, 5, "internal libltdl error"),
        (8, 6, "component version requirements are not met"),
        (8, 7, "component has not been registered in repository"),
        (9, 1, "specified token is not available"),
        (9, 2, "unauthorized"),
        (9, 3, "permission denied"),
        (9, 4, "permissions changed"),
        (9, 5, "invalid ACL framing"),
        (10, 1, "service is not available"),
        (10, 2, "routing storage is unavailable"),
        (10, 3, "missing protocol version"),
        (10, 4, "duplicate service provided to gateway"),
        (10, 5, "service is missing in gateway"),
        (11, 1, "can not get value of a node with childs"),
        (11, 2, "invalid type of value stored for requested operation"),
        (11, 3, "could not unserialize value stored in zookeeper"),
        (11, 4, "unknown zookeeper error"),
        (11, 5, "invalid node name specified"),
        (11, 6, "invalid path specified"),
        (11, 7, "specified version is not allowed for command"),
        (11, 8, "node not exists"),
        (11, 9, "node already exists"),
        (11, 10, "connection has been lost"),
        (11, 11, "internal backend error"),
        (12, 2, "No such file or directory"),
        (12, 13, "Permission denied"),
        (12, 20, "Not a directory"),
        (12, 22, "Invalid argument"),
        (12, 32, "application has been stopped"),
        (13, 1, "protocol violation - upstream was already closed"),
        (42, 1, "event not found"),
        (16572, 1, "postgres error"),
        (20991, 1, "invocation deadline has passed"),
        (20991, 2, "no resources available to complete invocation"),
        (20991, 3, "invocation has timed out"),
        (20991, 4, "failed to assign event to a slave"),
        (20991, 5, "application has already been started"),
        (20991, 6, "application is not running"),
        (20991, 7, "uncaught error while spooling app"),
        (20991, 8, "uncaught error while publishing app"),
        (21247, 1, "queue is full"),
        (21247, 2, "pool is full"),
        (21503, 1, "timed out while spawning"),
        (21503, 2, "locator not found"),
        (21503, 3, "locator endpoints set is empty"),
        (21503, 4, "timed out while activating"),
        (21503, 5, "unknown activate error"),
        (21503, 6, "timed out while sealing"),
        (21503, 7, "timed out while terminating"),
        (21503, 8, "timed out while waiting for heartbeat"),
        (21503, 9, "invalid state"),
        (21503, 10, "unexpected control IPC error"),
        (21503, 11, "overseer is shutting down"),
        (21503, 12, "slave has committed suicide"),
        (21503, 13, "slave is idle"),
        (21503, 14, "slave is sealing"),
    ];

    #[test]
    fn every_row_has_its_number_and_text() {
        for &(category, code, text) in EXPECTED {
            assert_eq!(ErrorCode::new(category, code).text(), text, "[{category},{code}]");
        }
        assert_eq!(ROWS.len(), EXPECTED.len(), "no row is missing here or there");
    }

    #[test]
    fn no_code_has_two_rows_and_every_row_a_category() {
        for (index, (code, _)) in ROWS.iter().enumerate() {
            assert!(ROWS.iter().skip(index + 1).all(|(other, _)| other != code), "{code} twice");
            assert!(CATEGORIES.iter().any(|(number, _)| *number == code.category), "{code}");
        }
    }

    #[test]
    fn a_code_without_a_row_shows_its_category() {
        assert_eq!(ErrorCode::new(42, 200).text(), "");
        assert_eq!(ErrorCode::new(42, 200).to_string(), "[42,200] worker category");
        assert_eq!(QUEUE_IS_FULL.to_string(), "[21247,1] queue is full");
        assert_eq!(QUEUE_IS_FULL.category_name(), "node.overseer");
    }
}
