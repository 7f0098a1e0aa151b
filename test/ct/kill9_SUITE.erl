%%% What was acknowledged stays, also when the server is killed at the worst moment.
-module(kill9_SUITE).

-export([all/0, init_per_suite/1, end_per_suite/1]).
-export([
    each_result_is_safe_from_kill9/1,
    a_second_kill_right_after_the_first/1,
    a_result_is_safe_after_the_log_was_dumped/1,
    concurrent_authors_survive_kill9/1,
    what_a_friend_has_seen_is_stored/1
]).

-include_lib("stdlib/include/assert.hrl").

-define(MINE, <<"/twitter/MyStream">>).

all() ->
    [
        each_result_is_safe_from_kill9,
        a_second_kill_right_after_the_first,
        a_result_is_safe_after_the_log_was_dumped,
        concurrent_authors_survive_kill9,
        what_a_friend_has_seen_is_stored
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% Cases

%% Each round: one request, its result, and SIGKILL before anything else is sent.
each_result_is_safe_from_kill9(Config) ->
    Server = twitter_cases:server(Config),
    [Reader, Author] = twitter_cases:offline_friends(Config, [<<"reader">>, <<"author">>]),
    Jid = twitter_users:jid(Author),
    Large = twitter_cases:large(<<"padding ">>, 50_000),
    Rounds = [
        %% The very first post makes the node too.
        {{publish, <<"1">>, <<"one">>}, [{Jid, <<"1">>, <<"one">>}]},
        {{publish, <<"2">>, Large}, [{Jid, <<"1">>, <<"one">>}, {Jid, <<"2">>, Large}]},
        {{publish, <<"1">>, <<"uno">>}, [{Jid, <<"1">>, <<"uno">>}, {Jid, <<"2">>, Large}]},
        {{retract, <<"2">>}, [{Jid, <<"1">>, <<"uno">>}]},
        {purge, []},
        {{publish, <<"2">>, <<"two">>}, [{Jid, <<"2">>, <<"two">>}]}
    ],
    lists:foreach(
        fun({Request, Expected}) ->
            Client = twitter_users:login(Server, Author),
            _ = carry_out(Client, Request),
            ok = twitter_server:kill9(Server),
            ok = twitter_server:restart(Server),
            Expected = twitter_cases:friends_stream(Config, Reader),
            Expected = twitter_reading:entries(twitter_users:login(Server, Author), ?MINE)
        end,
        Rounds
    ).

%% The second one comes when the log of the first run has been read, and is gone.
a_second_kill_right_after_the_first(Config) ->
    all_stays(Config, [<<"one">>, <<"another one">>], fun(Server) ->
        ok = twitter_server:kill9(Server),
        ok = twitter_server:restart(Server)
    end).

%% Mnesia deletes its log, by itself now and then, when dets has been given what is in it, and dets does not write
%% that at once.
a_result_is_safe_after_the_log_was_dumped(Config) ->
    all_stays(Config, [<<"one">>], fun(Server) -> dump_log(Server, twitter_server:storage(Server)) end).

dump_log(Server, mnesia) ->
    dumped = twitter_server:call(Server, mnesia, dump_log, []),
    ok;
dump_log(_Server, _Sql) ->
    ok.

%% Three times: ten posts are published, with each of these texts, and the server is killed, after this has happened to
%% it.
all_stays(Config, Texts, Disturb) ->
    Server = twitter_cases:server(Config),
    [Reader, Author] = twitter_cases:offline_friends(Config, [<<"reader">>, <<"author">>]),
    Jid = twitter_users:jid(Author),
    %% Accounts and rosters are in dets as well.
    ok = twitter_stored:sync(Server),
    lists:foldl(
        fun(Round, Before) ->
            Client = twitter_users:login(Server, Author),
            Ids = [integer_to_binary(10 * Round + N) || N <- lists:seq(0, 9)],
            [_ = carry_out(Client, {publish, Id, Text}) || Text <- Texts, Id <- Ids],
            ok = Disturb(Server),
            ok = twitter_server:kill9(Server),
            ok = twitter_server:restart(Server),
            Expected = Before ++ [{Jid, Id, lists:last(Texts)} || Id <- Ids],
            ?assertEqual(Expected, twitter_cases:friends_stream(Config, Reader)),
            Expected
        end,
        [],
        lists:seq(1, 3)
    ).

keep_posts_in_memory(Server, mnesia) ->
    Schema = filename:join(twitter_server:call(Server, mnesia, system_info, [directory]), "ejabberd.schema"),
    ok = file:write_file(Schema, "pubsub_item:\n  storage_type: disc_copies\n"),
    %% The first start changes the table, and takes its index away; the second one puts that back.
    [ok = twitter_server:restart(Server) || _ <- [1, 2], ok =:= twitter_server:kill9(Server)],
    disc_copies = twitter_server:call(Server, mnesia, table_info, [pubsub_item, storage_type]),
    ok;
keep_posts_in_memory(_Server, _Sql) ->
    ok.

%% Several authors write at once, as fast as they get results; the server is killed in the
%% middle of it, three times. What had a result is there, what had none is there whole or
%% not at all. This is so where posts are in memory and in Mnesia's log: dets, where ejabberd keeps them
%% unless told otherwise, can lose any object when it is killed in the middle of its own writing, the oldest too.
concurrent_authors_survive_kill9(Config) ->
    Server = twitter_cases:server(Config),
    ok = keep_posts_in_memory(Server, twitter_server:storage(Server)),
    Names = [<<"ann">>, <<"ben">>, <<"cat">>, <<"dan">>],
    [Reader | Authors] = twitter_cases:offline_friends(Config, [<<"reader">> | Names]),
    First = {publish, <<"0">>, <<"hello">>},
    [carry_out(twitter_users:login(Server, Author), First) || Author <- Authors],
    _ = lists:foldl(
        fun(Round, Models) ->
            Clients = [{Author, twitter_users:login(Server, Author)} || Author <- Authors],
            Writers = [start_writer(Client, Author, Round) || {Author, Client} <- Clients],
            await_results(Round, 40),
            ok = twitter_server:kill9(Server),
            Logs = maps:from_list([stop_writer(Writer) || Writer <- Writers]),
            ok = twitter_server:restart(Server),
            Stream = twitter_cases:friends_stream(Config, Reader),
            maps:map(
                fun(Author, Model) ->
                    Jid = twitter_users:jid(Author),
                    Found = [{Id, Payload} || {Publisher, Id, Payload} <- Stream, Publisher =:= Jid],
                    #{Author := {Acknowledged, InFlight}} = Logs,
                    Kept = lists:foldl(fun apply_request/2, Model, Acknowledged),
                    Allowed = [Kept | [apply_request(Request, Kept) || Request <- InFlight]],
                    lists:member(Found, Allowed) orelse
                        error({lost_or_broken, Author, Found, Allowed}),
                    Found
                end,
                Models
            )
        end,
        maps:from_keys(Authors, apply_request(First, [])),
        [1, 2, 3]
    ),
    ok.

%% Nobody sees what a crash takes back: killed again and again, after any number of results, also between a
%% post and its result. Edits count upwards, so that an older one is told from a newer one.
what_a_friend_has_seen_is_stored(Config) ->
    Server = twitter_cases:server(Config),
    [Reader | Authors] = twitter_cases:offline_friends(Config, [<<"reader">>, <<"ann">>, <<"ben">>, <<"cat">>]),
    Seen = lists:append([seen_until_killed(Server, Reader, Authors, Round) || Round <- lists:seq(1, 6)]),
    ?assert(length(Seen) > 100),
    Stream = twitter_cases:friends_stream(Config, Reader),
    Stored = maps:from_list([{{Publisher, Id}, binary_to_integer(Text)} || {Publisher, Id, Text} <- Stream]),
    %% None twice.
    ?assertEqual(length(Stream), map_size(Stored)),
    ?assertEqual([], [Post || {Publisher, Id, Number} = Post <- Seen, Number > maps:get({Publisher, Id}, Stored, 0)]),
    %% Nor half: what is there can be deleted.
    lists:foreach(
        fun(Author) ->
            Client = twitter_users:login(Server, Author),
            [ok = twitter_requests:retract(Client, Id) || {_, Id, _} <- twitter_reading:stream(Client, ?MINE)],
            [] = twitter_reading:stream(Client, ?MINE)
        end,
        Authors
    ),
    [] = twitter_cases:friends_stream(Config, Reader).

%% What a friend was sent or an author was told is stored: publisher, id and how many edits.
seen_until_killed(Server, Reader, Authors, Round) ->
    Friend = twitter_users:login(Server, Reader),
    Writers = [
        {Author, spawn_counter(twitter_users:login(Server, Author), Round)}
     || Author <- Authors
    ],
    await_results(Round, rand:uniform(60)),
    ok = twitter_server:kill9(Server),
    Told = [
        receive
            {stopped, Writer, Posts} -> [{twitter_users:jid(Author), Id, Number} || {Id, Number} <- Posts]
        end
     || {Author, Writer} <- Writers
    ],
    Pushed = [
        {Publisher, Id, binary_to_integer(Text)}
     || Event <- lists:filter(twitter_events:is_event(), all_received(Friend)),
        {item, Publisher, Id, [{xmlcdata, Text}]} <- twitter_events:entries(Event)
    ],
    ok = twitter_server:restart(Server),
    Pushed ++ lists:append(Told).

all_received(Client) ->
    try
        error({received, twitter_client:expect(Client, fun(_) -> false end)})
    catch
        error:{connection_closed, Received} -> Received
    end.

%% Publishes numbers, under ids of which each is used some times, until the connection breaks.
spawn_counter(Client, Round) ->
    Caller = self(),
    spawn_link(fun() -> Caller ! {stopped, self(), count(Client, Caller, Round, 1, [])} end).

count(Client, Caller, Round, N, Posts) ->
    Number = Round * 1_000_000 + N,
    Id = integer_to_binary(N div 3),
    try twitter_requests:publish(Client, Id, integer_to_binary(Number)) of
        Id ->
            Caller ! {result, Round},
            count(Client, Caller, Round, N + 1, [{Id, Number} | Posts])
    catch
        error:{connection_closed, _} -> Posts
    end.

%%% Writers

%% Writes until the connection breaks; tells the caller of each result.
start_writer(Client, Author, Round) ->
    Caller = self(),
    spawn_link(fun() ->
        Log = write(Client, Caller, Round, 1, [], []),
        Caller ! {stopped, self(), Author, Log}
    end).

write(Client, Caller, Round, N, Live, Acknowledged) ->
    Request = next_request(integer_to_binary(Round), N, Live),
    try carry_out(Client, Request) of
        _ ->
            Caller ! {result, Round},
            Model = apply_request(Request, Live),
            write(Client, Caller, Round, N + 1, Model, [Request | Acknowledged])
    catch
        error:{connection_closed, _} -> {lists:reverse(Acknowledged), [Request]}
    end.

next_request(_Prefix, N, _Live) when N rem 23 =:= 0 -> purge;
next_request(_Prefix, N, [{Oldest, _}, _, _ | _]) when N rem 5 =:= 0 -> {retract, Oldest};
next_request(_Prefix, N, [_, {Second, _} | _]) when N rem 7 =:= 0 ->
    {publish, Second, twitter_cases:large(<<"edited ">>, N * 50)};
next_request(Prefix, N, _Live) ->
    Number = integer_to_binary(N),
    {publish, <<Prefix/binary, "-", Number/binary>>, twitter_cases:large(<<"text ", Number/binary, " ">>, N * 50)}.

%% Those that come later, until the server is dead, do not count for the next round.
await_results(_Round, 0) ->
    ok;
await_results(Round, Count) ->
    receive
        {result, Round} -> await_results(Round, Count - 1)
    end.

stop_writer(Writer) ->
    receive
        {stopped, Writer, Author, Log} -> {Author, Log}
    end.

carry_out(Client, {publish, Id, Payload}) -> twitter_requests:publish(Client, Id, Payload);
carry_out(Client, {retract, Id}) -> twitter_requests:retract(Client, Id);
carry_out(Client, purge) -> twitter_requests:purge(Client).

%% What a stream holds after a request.
apply_request({publish, Id, Payload}, Posts) -> lists:keystore(Id, 1, Posts, {Id, Payload});
apply_request({retract, Id}, Posts) -> lists:keydelete(Id, 1, Posts);
apply_request(purge, _Posts) -> [].
