//! The cases, by topic. Each is a function that panics if the daemon does something else.

pub mod apps;
pub mod clients;
pub mod command_line;
pub mod deadlines;
pub mod environment;
pub mod failing;
pub mod limits;
pub mod services;
pub mod signals;
pub mod sockets;
pub mod starting;
pub mod stopping;
pub mod stored;
pub mod tool;

/// Makes a test of each case: the one list of them.
#[doc(hidden)]
#[macro_export]
macro_rules! black_box_cases {
    ($binaries:expr) => {
        $crate::black_box_cases! { $binaries;
            clients {
                a_stream_goes_both_ways,
                an_error_of_the_app_is_passed_on,
                headers_reach_the_worker,
                a_client_disconnects_midway,
                a_client_never_closes_its_half,
                a_client_reads_nothing,
                bad_arguments_are_answered,
                the_twelve_bytes,
                broken_framing_closes_the_connection,
                a_frame_split_anywhere,
                a_large_payload_for_a_worker_that_starts,
                sixteen_mebibytes_both_ways,
                heartbeats_in_the_middle_of_bulk,
                heartbeats_of_a_throttled_worker,
                control_messages,
                nothing_leaks,
            }
            deadlines {
                a_request_expires_without_any_worker,
                a_request_times_out_with_a_worker,
                the_profile_limits_the_time_of_a_request,
                a_malformed_timeout_fails_one_request,
                the_queue_is_full,
                requests_are_spread,
                a_queue_limit_of_zero_takes_what_fits,
                a_tag_chooses_the_worker,
            }
            starting {
                a_worker_never_connects,
                a_worker_never_handshakes,
                a_worker_never_beats,
                a_worker_exits_at_once,
                a_worker_sends_garbage,
                a_worker_declares_two_gibibytes,
                an_unknown_uuid,
                an_executable_is_missing,
                an_app_recovers_from_a_crash_loop,
                a_handshake_in_pieces,
            }
            failing {
                a_worker_crashes,
                a_worker_hangs,
                a_worker_disconnects,
                an_active_worker_sends_garbage,
                an_active_worker_declares_two_gibibytes,
                a_worker_sends_a_wrong_chunk,
                a_worker_terminates_itself_and_lingers,
                a_worker_terminates_abnormally,
                a_worker_forks_a_child_and_dies,
                a_worker_floods_its_output,
                crashes_of_active_workers_are_replaced,
            }
            stopping {
                queued_and_running_requests,
                a_worker_that_ignores_everything,
                a_request_that_finishes_in_time,
                a_worker_that_is_starting,
                idle_workers_and_none,
                a_stream_through_the_node_service,
                idle_workers_go,
                manifest_and_profile_are_reread,
            }
            sockets {
                a_stranger_who_knows_the_uuid,
                a_stranger_cannot_come_first,
                a_second_handshake_of_the_same_worker,
                another_user_cannot_connect,
                workers_of_another_user,
                both_dialects_on_one_socket,
                a_worker_of_the_older_dialect,
            }
            apps {
                unknown_apps,
                running_apps,
                the_lever,
                an_app_named_like_a_service,
                impossible_names_of_apps,
                bad_documents,
                unknown_keys_are_warnings,
                no_manifest_at_all,
            }
            services {
                the_locator,
                the_locators_streams,
                the_storage,
                the_storage_survives_a_restart,
                a_storage_that_cannot_be_written,
                a_full_disk,
                the_logging_service,
            }
            command_line {
                a_second_instance,
                a_port_in_use,
                bad_flags,
                bad_configuration_files,
                unusable_directories,
                check_config,
                help_and_version,
                a_configuration_file,
            }
            signals {
                term_drains,
                int_drains,
                term_with_stubborn_workers,
                a_second_term_ends_at_once,
                idle_clients_do_not_hold_it_up,
                hup_opens_the_log_anew,
                leftovers_of_a_killed_daemon,
            }
            stored {
                an_uploaded_app,
                what_is_missing_is_named,
                hostile_archives,
                the_runlist,
                a_local_app_hides_a_stored_one,
            }
            limits {
                file_descriptors_run_out,
                a_crowd_at_the_workers_socket,
                many_streams_on_one_connection,
            }
            tool {
                call,
                failures,
                apps,
            }
            environment {
                the_file_limit_is_restored,
                the_profiles_limits_reach_the_worker,
                the_environment_is_merged,
                a_worker_is_told_what_it_must_know,
                a_node_at_rest_is_small,
            }
        }
    };
    ($binaries:expr; $($topic:ident { $($case:ident,)* })*) => {
        $(mod $topic {
            $(#[test]
            fn $case() {
                $crate::blackbox::cases::$topic::$case(&$binaries);
            })*
        })*
    };
}
