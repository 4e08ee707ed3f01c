use std::io::{IsTerminal, Write, stderr};

use countersign_persistence::{ExportProgress, ExportStep};

/// Progress on standard error: a bar on a terminal. An export writes a line for each table elsewhere.
#[derive(Debug)]
pub(super) struct Bar {
    is_terminal: bool,
}

/// Bar width in characters.
const WIDTH: u64 = 20;

impl Bar {
    pub(super) fn new() -> Self {
        Self { is_terminal: stderr().is_terminal() }
    }

    /// Shows how far an export is.
    pub(super) fn show(&self, progress: ExportProgress) {
        let ExportProgress { step, table, rows, of } = progress;
        let doing = match step {
            ExportStep::Resume => "comparing",
            ExportStep::Copy => "copying",
            ExportStep::Verify => "verifying",
        };
        if self.is_terminal {
            self.draw(doing, table, rows, of);
        } else if rows == of {
            Self::write(&format!("{}\n", told(progress)));
        }
    }

    /// Draws the bar, on a terminal.
    pub(super) fn draw(&self, doing: &str, what: &str, rows: u64, of: u64) {
        if self.is_terminal {
            // Moves the cursor to the start of the line and erases the line.
            Self::write(&format!("\r\x1b[K{}", drawn(doing, what, rows, of)));
        }
    }

    fn write(text: &str) {
        // Whoever closed standard error does not want to see it.
        let _ = stderr().write_all(text.as_bytes()).and_then(|()| stderr().flush());
    }
}

impl Drop for Bar {
    /// Erases the bar, so that the next output begins on an empty line.
    fn drop(&mut self) {
        if self.is_terminal {
            let _ = stderr().write_all(b"\r\x1b[K");
        }
    }
}

fn drawn(doing: &str, what: &str, rows: u64, of: u64) -> String {
    let part = |whole: u64| rows.min(of).saturating_mul(whole).checked_div(of).unwrap_or(whole);
    let (filled, percent) = (usize::try_from(part(WIDTH)).unwrap_or_default(), part(100));
    let bar = format!("{:-<width$}", "#".repeat(filled), width = WIDTH as usize);
    format!("{doing:9} {what:17} [{bar}] {percent:3} % {rows}/{of}")
}

fn told(progress: ExportProgress) -> String {
    let ExportProgress { step, table, rows, .. } = progress;
    let done = match step {
        ExportStep::Resume => "found",
        ExportStep::Copy => "copied",
        ExportStep::Verify => "verified",
    };
    format!("{done} {table}: {rows} rows")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills_and_fits_a_terminal() {
        let at = |rows, of| drawn("copying", "remembered_logins", rows, of);
        assert_eq!(at(50, 200), "copying   remembered_logins [#####---------------]  25 % 50/200");
        assert!(at(0, 0).contains("[####################] 100 % 0/0"));
        assert!(at(9, 5).contains("[####################] 100 %"));
        assert!(at(9_999_999, 10_000_000).len() < 80);
        let step = ExportStep::Copy;
        let done = ExportProgress { step, table: "remembered_logins", rows: 7, of: 7 };
        assert_eq!(told(done), "copied remembered_logins: 7 rows");
    }
}
