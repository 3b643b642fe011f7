//! Before what cannot be undone somebody is asked, on a terminal.
//! Here it is a real one with the test at its other end: whether somebody can be asked is what is decided.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::{Desk, tollgate, words};
use crate::admin::{Scene, passes};

/// A terminal, seen from behind.
struct Terminal {
    behind: File,
    name: String,
}

// === impl Terminal ===

impl Terminal {
    fn open() -> Self {
        let behind = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&behind).unwrap();
        unlockpt(&behind).unwrap();
        let name = ptsname(&behind, Vec::new()).unwrap().into_string().unwrap();
        Self {
            behind: File::from(behind),
            name,
        }
    }

    fn front(&self) -> Stdio {
        let file = File::options().read(true).write(true).open(&self.name);
        Stdio::from(file.unwrap())
    }

    /// What is written on it until this.
    fn reads_until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        let mut byte = [0];
        while !String::from_utf8_lossy(&text).ends_with(end) {
            self.behind.read_exact(&mut byte).expect("it says more");
            text.push(byte[0]);
        }
        String::from_utf8(text).unwrap()
    }
}

fn start(desk: &Desk, line: &str, terminal: &Terminal) -> Child {
    let mut command = tollgate(&words(line));
    command.args(["--admin-url", &desk.url, "--admin-token-file"]);
    command
        .arg(&desk.token_file)
        .stdin(terminal.front())
        .stderr(terminal.front());
    command.stdout(Stdio::piped()).spawn().unwrap()
}

#[test]
fn only_a_yes_is_a_yes() {
    let scene = Scene::start();
    let desk = Desk::at(&scene);
    assert_eq!(scene.application("mobile").status, 201);
    assert_eq!(scene.subscription("mobile", "gold").status, 201);
    for (line, question) in [
        (
            "app delete mobile",
            "Delete the application `mobile` with all its subscriptions and keys? [y/N] ",
        ),
        (
            "sub close mobile:orders:gold",
            "Close the subscription `mobile:orders:gold` for good? [y/N] ",
        ),
        (
            "plan close orders/gold",
            "Close the plan `orders/gold` for good, with all its subscriptions? [y/N] ",
        ),
    ] {
        for reply in [
            "n\n",
            "\n",
            "yess\n",
            "delete\n",
            "\u{4}",
            "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\n",
        ] {
            let mut terminal = Terminal::open();
            let mut child = start(&desk, line, &terminal);
            assert_eq!(terminal.reads_until("[y/N] "), question);
            terminal.behind.write_all(reply.as_bytes()).unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(1), "{line} {reply:?}");
            terminal.reads_until("nothing was done");
            assert_eq!(scene.call("mobile"), passes(), "{line} {reply:?}");
        }
    }
    for (line, reply) in [
        ("sub close mobile:orders:gold", "Y\n"),
        ("app delete mobile", "yes\n"),
    ] {
        let mut terminal = Terminal::open();
        let mut child = start(&desk, line, &terminal);
        terminal.reads_until("[y/N] ");
        terminal.behind.write_all(reply.as_bytes()).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{line}");
    }
    assert_eq!(scene.show("/v1/applications/mobile").status, 404);
}

#[test]
fn who_has_said_yes_is_not_asked_on_a_terminal_either() {
    let scene = Scene::start();
    let desk = Desk::at(&scene);
    assert_eq!(scene.application("mobile").status, 201);
    let terminal = Terminal::open();
    let mut child = start(&desk, "app delete mobile --yes", &terminal);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
