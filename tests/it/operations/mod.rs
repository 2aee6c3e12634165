//! Tests of operation: command line, metrics, traces, backups and packages.

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
