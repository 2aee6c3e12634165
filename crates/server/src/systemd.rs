//! Notifications to systemd, for a service of `Type=notify`. They do nothing in other environments.

use sd_notify::NotifyState;

/// Reports that the server accepts requests, and starts the watchdog pings if systemd expects them.
pub(crate) fn notify_ready() {
    notify(NotifyState::Ready);
    let Some(timeout) = sd_notify::watchdog_enabled().filter(|timeout| !timeout.is_zero()) else { return };
    tokio::spawn(async move {
        let mut interval = tokio::time::interval(timeout / 2);
        loop {
            interval.tick().await;
            notify(NotifyState::Watchdog);
        }
    });
}

/// Reports that the server has started to shut down.
pub(crate) fn notify_stopping() {
    notify(NotifyState::Stopping);
}

fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "failed to notify systemd");
    }
}
