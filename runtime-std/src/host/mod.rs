//! Configuration files, storage, spool, exec shim and log: blocking code that every daemon shares.
