//! Tests the commands of docs/behind-a-proxy.md that start the edge.

use std::path::Path;

use super::haproxy::{free_port, has_tools, tool_of};
use crate::support::Place;

#[test]
fn the_commands_of_the_chapter_start_the_edge() {
    if !has_tools() {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(root.join("docs/behind-a-proxy.md")).unwrap();
    let (_, section) = text.split_once("\n## Try it here\n").unwrap();
    let (_, block) = section.split_once("```sh\n").unwrap();
    let (commands, _) = block.split_once("```").unwrap();
    // The ports in the text may be in use on this machine.
    let mut commands = commands.to_owned();
    for port in [":8443", ":8080", ":8000"] {
        assert!(commands.contains(port), "{port}");
        commands = commands.replace(port, &format!(":{}", free_port()));
    }
    let (_, listens) = commands.split_once("COUNTERSIGN=127.0.0.1:").unwrap();
    let (port, _) = listens.split_once('\n').unwrap();

    let place = Place::new();
    std::os::unix::fs::symlink(root.join("config"), place.path("config")).unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_countersign")).parent().unwrap();
    let path =
        format!("{}:/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin:/bin", programs.display());
    let script = format!("set -e\ntrap 'kill $(jobs -p)' EXIT\n{commands}");
    let output = tool_of("bash")
        .args(["-c", &script])
        .env("PATH", path)
        .env("ROCKET_PORT", port)
        .current_dir(place.path(""))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("HTTP/2 200"), "{output:?}");
}
