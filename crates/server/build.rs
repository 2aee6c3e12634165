//! Removes the symbols from release binaries. Cargo's option `strip` has no effect, see the workspace's `Cargo.toml`.

#[expect(clippy::disallowed_methods, reason = "Cargo passes the profile in the environment")]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo::rustc-link-arg-bins=-Wl,--strip-all");
    }
}
