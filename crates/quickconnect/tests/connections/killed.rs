//! The program is killed in the middle of a refresh.

use std::time::{Duration, Instant};

use crate::{
    provider::Mood,
    scene::{LONG, Scene, chat, rotate},
};

/// How long a lease may keep others from asking, and a margin for a busy machine.
const LEASE: Duration = Duration::from_secs(60);

/// Kills the server when the provider has a request for tokens that it treats so, and starts another process.
async fn kill_at(mood: Option<Mood>) {
    let mut scene = Scene::play(LONG).await;
    scene.told("before").await;
    assert_eq!(
        (scene.provider.asked(), chat(&scene.notify.server).await["generation"].as_u64()),
        (1, Some(1))
    );
    scene.provider.next(mood);
    {
        let rotation = rotate(&scene.notify.server);
        tokio::pin!(rotation);
        // Without a mood the answer is on its way, or has come, and nobody says whether its tokens are on disk.
        tokio::select! {
            _ = &mut rotation => {}
            () = scene.provider.is_asked(2) => {}
        }
    }
    scene.notify.server.kill();
    scene.notify.server.start().await;
    // It goes on working with the token that it has.
    scene.told("after").await;
    let state = chat(&scene.notify.server).await;
    assert_eq!(state["usable"], true, "{mood:?}: {state}");
    // And has new ones when the lease of the dead process is over: at most the one request was in doubt.
    let began = Instant::now();
    loop {
        let (status, shown) = rotate(&scene.notify.server).await;
        if status == 200 {
            assert!(shown["generation"].as_u64() >= Some(2), "{mood:?}: {shown}");
            assert_eq!(shown["state"], "active", "{mood:?}");
            break;
        }
        assert!(began.elapsed() < LEASE, "{mood:?}: {shown}\n{}", scene.notify.server.log_end());
    }
    assert!(!scene.provider.was_reused(), "{mood:?}: a spent refresh token was sent");
    assert!(scene.provider.asked() <= 4, "{mood:?}: asked {} times", scene.provider.asked());
    scene.told("in the end").await;
}

/// The request is there and not done; it is done and the answer is on its way; the answer is there, or its tokens on disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refresh_goes_on_whenever_the_process_is_killed() {
    tokio::join!(kill_at(Some(Mood::Ignores)), kill_at(Some(Mood::DoesAndHolds)), kill_at(None));
}

/// Where a spent refresh token would end everything, it is not sent again: the doubt is said, and work goes on for as long
/// as the access token lives.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_strict_provider_s_lost_answer_is_never_asked_for_again() {
    let mut scene = Scene::play(crate::provider::Manner { grace: false, ..LONG }).await;
    scene.told("before").await;
    scene.provider.next([Mood::DoesAndHolds]);
    tokio::select! {
        _ = rotate(&scene.notify.server) => panic!("nobody answered"),
        () = scene.provider.is_asked(2) => {}
    }
    scene.notify.server.kill();
    scene.notify.server.start().await;
    scene.told("after").await;
    let began = Instant::now();
    while chat(&scene.notify.server).await["state"] != "suspect" {
        drop(rotate(&scene.notify.server).await);
        assert!(began.elapsed() < LEASE, "{}", scene.notify.server.log_end());
    }
    scene.told("in doubt").await;
    assert_eq!((scene.provider.asked(), scene.provider.was_reused()), (2, false));
}
