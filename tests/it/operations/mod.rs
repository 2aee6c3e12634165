//! Tests of what an operator uses: the command line, metrics, traces, backups, packages.

mod backups;
mod cli;
mod deployment;
mod health;
mod manual_pages;
mod metrics;
mod slow_clients;
mod systemd;
mod traces;
mod workflow_files;
