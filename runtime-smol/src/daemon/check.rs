//! `check-config`: every setting, its value, and where it came from.

use cocaine_runtime_std::host::config::{self, Surroundings};

use super::cli::{CheckArgs, OutputFormat};
use super::exit::Exit;
use crate::print;

pub(super) fn check_config(command: &CheckArgs) -> Result<(), Exit> {
    let loaded = config::load(&command.run.flags(), &Surroundings::of_process())?;
    for warning in &loaded.warnings {
        eprintln!("warning: {warning}");
    }
    match command.output {
        OutputFormat::Json => print::line(config::report_json(&loaded.config)),
        OutputFormat::Human => {
            let rows = config::report(&loaded.config);
            print::table(
                ["SETTING", "VALUE", "FROM"],
                rows.into_iter().map(|row| [row.name, row.value, row.origin]),
            );
        }
    }
    Ok(())
}
