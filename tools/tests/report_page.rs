//! The page of `tools report` in a browser: it draws, says nothing on the console, and is not empty.

mod support;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use distil_tools::fixture::Fixture;
use distil_tools::hf::{Architecture, HeadKind};
use flate2::read::ZlibDecoder;
use support::Place;

/// A browser without a window; says so and gives `None` where there is none.
fn browser() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    let found =
        names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|path| path.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: no Chromium on this machine (looked for {})", names.join(", "));
    }
    found
}

fn open(browser: &Path, place: &Place, page: &str, args: &[&str]) -> Output {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(browser)
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"])
        .args(["--enable-logging=stderr", "--virtual-time-budget=3000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(args)
        .arg(format!("file://{}", place.path(page).display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// What the page said on the console.
fn console(output: &Output) -> Vec<String> {
    let said = String::from_utf8_lossy(&output.stderr);
    said.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect()
}

/// Width, height, and the colours of a PNG of 8 bits a channel, without interlacing, as a browser writes it.
fn pixels(path: &Path) -> (usize, usize, Vec<[u8; 3]>) {
    let png = std::fs::read(path).unwrap();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let word = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
    let (width, height, depth, kind) = (word(16), word(20), png[24], png[25]);
    assert!(depth == 8 && (kind == 2 || kind == 6) && png[28] == 0, "an unusual PNG");
    let (mut at, mut packed) = (8, Vec::new());
    while at < png.len() {
        if &png[at + 4..at + 8] == b"IDAT" {
            packed.extend_from_slice(&png[at + 8..at + 8 + word(at)]);
        }
        at += word(at) + 12;
    }
    let mut raw = Vec::new();
    ZlibDecoder::new(&packed[..]).read_to_end(&mut raw).unwrap();
    let channels = if kind == 6 { 4 } else { 3 };
    let stride = width * channels;
    let mut before = vec![0u8; stride];
    let mut colours = Vec::new();
    for line in raw.chunks_exact(stride + 1) {
        let (filter, mut line) = (line[0], line[1..].to_vec());
        for i in 0..stride {
            let left = if i >= channels { line[i - channels] } else { 0 };
            let corner = if i >= channels { before[i - channels] } else { 0 };
            let guess = match filter {
                0 => 0,
                1 => left,
                2 => before[i],
                3 => ((u16::from(left) + u16::from(before[i])) / 2) as u8,
                _ => {
                    let (a, b, c) = (i16::from(left), i16::from(before[i]), i16::from(corner));
                    let p = a + b - c;
                    let (pa, pb, pc) = ((p - a).abs(), (p - b).abs(), (p - c).abs());
                    if pa <= pb && pa <= pc {
                        left
                    } else if pb <= pc {
                        before[i]
                    } else {
                        corner
                    }
                }
            };
            line[i] = line[i].wrapping_add(guess);
        }
        colours.extend(line.chunks_exact(channels).map(|pixel| [pixel[0], pixel[1], pixel[2]]));
        before = line;
    }
    assert_eq!(colours.len(), width * height);
    (width, height, colours)
}

/// Two packed files with everything that a page can show.
fn place() -> Place {
    let fixture = Fixture { architecture: Architecture::Bert, head: HeadKind::Embedding, ..Fixture::default() };
    let place = Place::with(&fixture);
    place.ok(&["pack", "model", "-o", "8.distil"]);
    place.ok(&["pack", "model", "-o", "4.distil", "--weights", "int4"]);
    let both = ["report", "8.distil", "4.distil", "--against", "model", "--lengths", "4,16,64", "--seconds", "0"];
    place.ok(&[&both[..], &["-o", "page.html"]].concat());
    place
}

#[test]
fn plots_are_drawn_and_the_console_is_silent() {
    let Some(browser) = browser() else { return };
    let place = place();
    let output = open(&browser, &place, "page.html", &["--dump-dom"]);
    assert_eq!(console(&output), [""; 0]);
    let dom = String::from_utf8(output.stdout).unwrap();
    let marks = |plot: &str| plot.matches("class=\"m ").count();
    let plots: Vec<&str> = dom.split("<svg ").skip(1).map(|rest| rest.split_once("</svg>").unwrap().0).collect();
    let few: Vec<_> = plots.iter().filter(|plot| marks(plot) < 2).map(|plot| &plot[..100.min(plot.len())]).collect();
    // Only the activations of the embeddings have one place, and its range has two bars.
    assert!(plots.len() > 30 && few.is_empty(), "{} plots: {few:?}", plots.len());
    // 37 tensors and 4 other parts, twice for each of two files, and all the rest.
    assert!(marks(&dom) > 2 * 2 * 41 + 200, "{} marks", marks(&dom));
    // The script ran: it took the titles for itself and showed what needs it.
    assert!(!dom.contains("<title>8.distil\n") && dom.contains("role=\"status\""));
    assert!(dom.contains("<button type=\"button\" id=\"theme\">"));
}

/// The policy lets nothing else run; this is also the proof that a message on the console would be seen.
#[test]
fn another_script_is_refused() {
    let Some(browser) = browser() else { return };
    let place = place();
    let html = std::fs::read_to_string(place.path("page.html")).unwrap();
    let forged = html.replace("</main>", "<script>document.title = 'forged'</script></main>");
    place.write("forged.html", forged);
    let output = open(&browser, &place, "forged.html", &["--dump-dom"]);
    let said = console(&output).join("\n");
    assert!(said.contains("Content Security Policy"), "{said}");
    assert!(!String::from_utf8(output.stdout).unwrap().contains("<title>forged"));
}

#[test]
fn pictures_are_full_in_light_and_dark_wide_and_narrow() {
    let Some(browser) = browser() else { return };
    let place = place();
    for (scheme, size, name) in
        [("1", "1280,3000", "light.png"), ("0", "1280,3000", "dark.png"), ("1", "500,3000", "narrow.png")]
    {
        let file = place.path(name);
        let picture = format!("--screenshot={}", file.display());
        let scheme_setting = format!("--blink-settings=preferredColorScheme={scheme}");
        let output =
            open(&browser, &place, "page.html", &[&picture, &scheme_setting, &format!("--window-size={size}")]);
        assert_eq!(console(&output), [""; 0]);
        let (width, height, colours) = pixels(&file);
        let ground = colours[0];
        let light = ground.iter().map(|&channel| u32::from(channel)).sum::<u32>() > 3 * 128;
        assert_eq!(light, scheme == "1", "{name}: ground {ground:?}");
        // Every part of the page, a sixth of its height, has many colours and much that is not ground.
        for (part, rows) in colours.chunks(width * (height / 6)).take(6).enumerate() {
            let drawn = rows.iter().filter(|&&colour| colour != ground).count();
            let distinct: std::collections::BTreeSet<_> = rows.iter().collect();
            assert!(drawn * 4 > rows.len() && distinct.len() > 40, "{name}, part {part}: {drawn}, {}", distinct.len());
        }
    }
}

/// On a telephone nothing sticks out to the right, and every plot and wide table is reached and left by keys.
#[test]
fn a_narrow_page_needs_no_scrolling_to_the_side() {
    let Some(browser) = browser() else { return };
    let place = place();
    // A window cannot be this narrow, a frame can.
    let script = "onload = () => { \
        const inner = document.querySelector('iframe').contentDocument, root = inner.documentElement; \
        const stops = [...inner.querySelectorAll('svg, .scroll, summary, button')].filter((stop) => stop.checkVisibility()); \
        const lost = stops.filter((stop) => { stop.focus(); return inner.activeElement !== stop; }); \
        document.body.textContent = `width ${root.clientWidth} of ${root.scrollWidth}, ${stops.length > 20} ${lost.length} lost`; }";
    let frame = "<iframe src=\"page.html\" style=\"width: 375px; height: 800px; border: 0\"></iframe>";
    place.write("frame.html", format!("<!doctype html><body>{frame}<script>{script}</script>"));
    let output = open(&browser, &place, "frame.html", &["--dump-dom", "--allow-file-access-from-files"]);
    assert_eq!(console(&output), [""; 0]);
    let dom = String::from_utf8(output.stdout).unwrap();
    assert!(dom.contains("<body>width 375 of 375, true 0 lost</body>"), "{dom}");
}
