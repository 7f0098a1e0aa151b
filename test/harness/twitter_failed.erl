%%% A hook of Common Test: writes which cases did not pass, and why, to a file, so that the end
%%% of a run says it to somebody who has only what the run printed.
-module(twitter_failed).

-export([init/2, on_tc_fail/4, on_tc_skip/4]).

%% A few lines each: the whole is in Common Test's log.
-define(DEPTH, 40).
-define(MOST_CHARACTERS, 2000).

init(_Id, File) ->
    {ok, File}.

on_tc_fail(Suite, Case, Reason, File) ->
    write(Suite, Case, Reason, File).

on_tc_skip(Suite, Case, Reason, File) ->
    write(Suite, Case, Reason, File).

write(Suite, Case, Reason, File) ->
    Why = unicode:characters_to_binary(io_lib:format("~0tP", [Reason, ?DEPTH])),
    Line = io_lib:format("~s ~0tp: ~ts~n", [Suite, Case, string:slice(Why, 0, ?MOST_CHARACTERS)]),
    ok = file:write_file(File, unicode:characters_to_binary(Line), [append]),
    File.
