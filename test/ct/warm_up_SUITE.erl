%%% Which posts there are is read before anybody asks, and nobody waits for that.
-module(warm_up_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_suite/1, end_per_suite/1]).
-export([
    the_first_reader_finds_all_in_memory/1,
    a_reload_reads_anew/1,
    nobody_waits/1,
    it_ends_where_there_is_no_room/1,
    what_cannot_be_read_is_read_later/1,
    it_can_be_switched_off/1,
    no_error_was_logged/1
]).

-define(HOST, <<"pubsub.localhost">>).

all() ->
    [
        the_first_reader_finds_all_in_memory,
        a_reload_reads_anew,
        nobody_waits,
        it_ends_where_there_is_no_room,
        it_can_be_switched_off,
        no_error_was_logged,
        %% Of this ejabberd itself complains, if it is in SQL.
        what_cannot_be_read_is_read_later
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config, #{twitter => on()}).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

on() -> #{warm_up => true}.

%%% Cases

the_first_reader_finds_all_in_memory(Config) ->
    Server = twitter_cases:server(Config),
    {Reader, Stranger, Posts} = posts(Config),
    Log = twitter_log:said(Server, fun() -> restart(Config, on()) end),
    {match, [Streams, Streams]} =
        re:run(Log, "All ([0-9]+) of ([0-9]+) streams, [0-9]+ posts in", [{capture, all_but_first, list}]),
    {_, _, Authors, Read, _} = memory(Config),
    ?assertEqual(list_to_integer(Streams), Authors),
    ?assert(Read >= length(Posts)),
    {Found, Loads} = loads(Config, fun() -> [of_friends(Config, Whoever) || Whoever <- [Reader, Stranger]] end),
    ?assertEqual([Posts, []], Found),
    ?assertEqual(0, Loads).

a_reload_reads_anew(Config) ->
    Server = twitter_cases:server(Config),
    {Reader, _, Posts} = posts(Config),
    ok = twitter_ctl:run(Server, ["twitter_reload", "localhost"]),
    ok = sync(Config),
    ?assertEqual({Posts, 0}, loads(Config, fun() -> of_friends(Config, Reader) end)).

%% Whoever reads or writes while it is at work is served, and sees what is true.
nobody_waits(Config) ->
    Server = twitter_cases:server(Config),
    {Author, Other} = with_writers_of_their_own(Config),
    Posts = twitter_requests:publish_all(Author, [<<"1">>, <<"2">>]),
    _ = twitter_requests:publish_all(Other, [<<"1">>]),
    Stuck = twitter_inside:worker(Server, twitter_writer, Other),
    ok = twitter_inside:suspend(Server, [Stuck]),
    ok = twitter_ctl:run(Server, ["twitter_reload", "localhost"]),
    ?assertEqual(Posts, own_posts(Author)),
    New = twitter_requests:publish(Author, <<"while it reads">>),
    ok = twitter_requests:retract(Author, New),
    ?assertEqual(Posts, own_posts(Author)),
    ok = twitter_inside:resume(Server, [Stuck]),
    ok = sync(Config),
    ?assertEqual(Posts, own_posts(Author)).

it_ends_where_there_is_no_room(Config) ->
    Server = twitter_cases:server(Config),
    {Reader, _, Posts} = posts(Config),
    Log = twitter_log:said(Server, fun() -> restart(Config, (on())#{index_size => 1}) end),
    ?assertMatch({_, _}, binary:match(Log, <<"No more have room (index_size)">>)),
    ?assertEqual(Posts, of_friends(Config, Reader)),
    ok = restart(Config, on()).

what_cannot_be_read_is_read_later(Config) ->
    Server = twitter_cases:server(Config),
    {Reader, _, Posts} = posts(Config),
    Log = twitter_log:said(Server, fun() ->
        twitter_stored:without(Server, pubsub_item, fun() ->
            ok = twitter_ctl:run(Server, ["twitter_reload", "localhost"]),
            ok = sync(Config)
        end)
    end),
    ?assertMatch({_, _}, binary:match(Log, <<"could not be read">>)),
    %% One line says why, not one for each author.
    ?assertMatch([_], binary:matches(Log, <<"cannot be read:">>)),
    ?assertEqual(Posts, of_friends(Config, Reader)).

it_can_be_switched_off(Config) ->
    {Reader, _, Posts} = posts(Config),
    ok = restart(Config, #{}),
    ?assertMatch({_, _, 0, 0, _}, memory(Config)),
    ?assertEqual(Posts, of_friends(Config, Reader)),
    ok = restart(Config, on()).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

%% A reader, somebody who is nobody's friend, and what the reader finds.
posts(Config) ->
    [_ | Friends] = Clients = twitter_cases:friends(Config, [<<"reader">>, <<"alice">>, <<"bob">>]),
    [Stranger] = twitter_cases:strangers(Config, [<<"stranger">>]),
    Posts = twitter_cases:chat(Friends, 3),
    {twitter_cases:user(hd(Clients)), twitter_cases:user(Stranger), Posts}.

of_friends(Config, Reader) ->
    [{Author, Id} || {Author, Id, _} <- twitter_cases:friends_stream(Config, Reader)].

own_posts(Author) ->
    [{Jid, Id} || {Jid, Id, _} <- twitter_reading:entries(Author, <<"/twitter/MyStream">>)].

%% Two authors who have different writers.
with_writers_of_their_own(Config) ->
    Server = twitter_cases:server(Config),
    [Author] = twitter_cases:strangers(Config, [<<"alice">>]),
    Writer = twitter_inside:worker(Server, twitter_writer, Author),
    {Author, another(Config, Writer)}.

another(Config, Writer) ->
    [Other] = twitter_cases:strangers(Config, [<<"other">>]),
    case twitter_inside:worker(twitter_cases:server(Config), twitter_writer, Other) of
        Writer -> another(Config, Writer);
        _ -> Other
    end.

restart(Config, Twitter) ->
    ok = twitter_server:restart(twitter_cases:server(Config), #{twitter => Twitter}),
    sync(Config).

sync(Config) ->
    twitter_server:call(twitter_cases:server(Config), twitter_warm_up, sync, [<<"localhost">>]).

memory(Config) ->
    twitter_server:call(twitter_cases:server(Config), twitter_index, memory, [?HOST]).

%% What `Fun' returns, and how often a stream is loaded while it runs.
loads(Config, Fun) ->
    Server = twitter_cases:server(Config),
    Load = {twitter_store, places, 2},
    1 = twitter_server:call(Server, erlang, trace_pattern, [Load, true, [call_count]]),
    Result = Fun(),
    {call_count, Count} = twitter_server:call(Server, erlang, trace_info, [Load, call_count]),
    1 = twitter_server:call(Server, erlang, trace_pattern, [Load, false, [call_count]]),
    {Result, Count}.
