%%% What was acknowledged stays, also when the server is killed at the worst moment.
-module(kill9_SUITE).

-export([all/0, init_per_suite/1, end_per_suite/1]).
-export([each_result_is_safe_from_kill9/1, concurrent_authors_survive_kill9/1]).

-define(MINE, <<"/twitter/MyStream">>).

all() ->
    [each_result_is_safe_from_kill9, concurrent_authors_survive_kill9].

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

%% Several authors write at once, as fast as they get results; the server is killed in the
%% middle of it, three times. What had a result is there, what had none is there whole or
%% not at all.
concurrent_authors_survive_kill9(Config) ->
    Server = twitter_cases:server(Config),
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
