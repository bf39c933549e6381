//! `check-config`: every setting, its value, and where it came from.

use cocaine_runtime_std::host::config::{self, Surroundings};
use comfy_table::{Table, presets};

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
        OutputFormat::Table => {
            let mut table = Table::new();
            table.load_style(presets::NOTHING).set_header(["SETTING", "VALUE", "FROM"]);
            for row in config::report(&loaded.config) {
                table.add_row([row.name, row.value, row.origin]);
            }
            print::line(table);
        }
    }
    Ok(())
}
