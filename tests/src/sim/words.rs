//! Inputs and outputs in few words, for traces.

use cocaine_core::engine::{EngineCommand, EngineNotice};
use cocaine_core::machine::{Input, Output};

/// Payloads are long and say little: their size, and their first bytes.
fn bytes(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(24)];
    let hex: String = shown.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{} bytes {hex}{}", bytes.len(), if shown.len() < bytes.len() { "…" } else { "" })
}

/// What an engine is told.
#[must_use]
pub fn input(input: &Input<EngineCommand>) -> String {
    match input {
        Input::Received { conn, buf } => format!("{conn} received {}", bytes(buf)),
        Input::Written { conn, .. } => format!("{conn} written"),
        Input::Command(EngineCommand::Chunk { stream, data }) => format!("{stream:?} chunk {}", bytes(data)),
        Input::WorkerOutput { worker, bytes } => format!("{worker} printed {} bytes", bytes.len()),
        other => format!("{other:?}"),
    }
}

/// What an engine asks for.
#[must_use]
pub fn output(output: &Output<EngineNotice>) -> String {
    match output {
        Output::Read { conn, .. } => format!("{conn} read"),
        Output::Write { conn, batch } => format!("{conn} write {}", bytes(&batch.to_vec())),
        Output::Spawn { worker, spec } => {
            format!("spawn {worker} as {}", spec.arguments.last().map_or("", String::as_str))
        }
        Output::Store { store, .. } => format!("store {store}"),
        Output::Notice(EngineNotice::Chunk { stream, data }) => format!("{stream:?} chunk {}", bytes(data)),
        other => format!("{other:?}"),
    }
}
