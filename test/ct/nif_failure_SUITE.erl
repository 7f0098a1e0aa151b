%%% When a call into the native library fails (a panic in it raises an error in the caller): who asked is told,
%%% the log says why, no process ends, and nobody is shown what may be wrong.
%%%
%%% A panic cannot be had from outside. What raises in the same way, from the same calls, is a reference that
%%% is none of the library's.
-module(nif_failure_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_suite/1, end_per_suite/1]).
-export([
    a_request_is_answered_with_an_error/1,
    a_session_that_could_not_tell_of_itself_is_looked_for/1,
    what_could_not_be_told_is_forgotten/1,
    a_fan_out_that_fails_costs_no_other_post/1
]).

-define(HOST, <<"localhost">>).
-define(SERVICE, <<"pubsub.localhost">>).
-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).

all() ->
    [
        a_request_is_answered_with_an_error,
        a_session_that_could_not_tell_of_itself_is_looked_for,
        what_could_not_be_told_is_forgotten,
        a_fan_out_that_fails_costs_no_other_post
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

a_request_is_answered_with_an_error(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    Id = twitter_requests:publish(Alice, <<"Hello">>),
    Processes = processes_of(Server),
    Log = byte_size(twitter_server:log(Server)),
    with_term(
        Server,
        {twitter_service, ?SERVICE},
        fun(Service) -> Service#{index := make_ref()} end,
        fun() ->
            Asked = [
                twitter_requests:items(Alice, ?MINE),
                twitter_requests:rows(Bob, ?FRIENDS),
                twitter_requests:pubsub(Alice, set, [
                    <<"<retract node='", ?MINE/binary, "'><item id='">>, Id, <<"'/></retract>">>
                ])
            ],
            [?assertEqual(<<"internal-server-error">>, twitter_answers:refusal(Answer)) || Answer <- Asked]
        end
    ),
    <<_:Log/binary, Said/binary>> = twitter_server:log(Server),
    ?assertEqual(3, length(binary:matches(Said, <<"Failed to process iq">>))),
    ?assertEqual(Processes, processes_of(Server)),
    %% The third was carried out before it failed; and so is the next.
    ok = twitter_cases:forget(Config, twitter_client:bare(Alice)),
    ?assertEqual([], twitter_reading:entries(Bob, ?FRIENDS)),
    Next = twitter_requests:publish(Alice, <<"Hello again">>),
    [{_, Next, <<"Hello again">>}] = twitter_reading:entries(Bob, ?FRIENDS).

%% At once, not when the minute is over.
a_session_that_could_not_tell_of_itself_is_looked_for(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    User = twitter_cases:user(Bob),
    Phone = with_term(
        Server,
        {twitter_sessions, ?HOST},
        fun({ready, _}) -> {ready, make_ref()} end,
        fun() ->
            Client = twitter_users:login(Server, User, #{resource => <<"phone">>}),
            _ = twitter_client:sync(Client),
            Client
        end
    ),
    _ = twitter_server:call(Server, sys, get_state, [twitter_sessions_localhost]),
    Id = twitter_requests:publish(Alice, <<"Who is there?">>),
    [?assertMatch([{item, _, Id, _}], twitter_events:posts(Server, Client)) || Client <- [Bob, Phone]].

%% A post that was changed in storage, but of which the index could not be told, is read again.
what_could_not_be_told_is_forgotten(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    Id = twitter_requests:publish(Alice, <<"Hello">>),
    [{_, Id, <<"Hello">>}] = twitter_reading:entries(Bob, ?FRIENDS),
    Author = twitter_client:bare(Alice),
    Posts = posts_in_memory(Server),
    {ok, #{index := Index} = Service} = twitter_server:call(Server, twitter_service, find, [?SERVICE]),
    Version = twitter_server:call(Server, twitter_nif, version, [Index, Author]),
    %% Whoever has read since knows nothing that may still be offered.
    ?assertError(_, twitter_server:call(Server, twitter_index, refresh, [Service, Author, Id, fun erlang:node/0])),
    ?assertEqual(
        stale,
        twitter_server:call(Server, twitter_nif, put, [Index, Author, Version, 1, <<"old">>, <<>>])
    ),
    ?assertEqual(Posts - 1, posts_in_memory(Server)),
    [{_, Id, <<"Hello">>}] = twitter_reading:entries(Bob, ?FRIENDS).

a_fan_out_that_fails_costs_no_other_post(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    Processes = processes_of(Server),
    with_term(
        Server,
        {twitter_sessions, ?HOST},
        fun({ready, _}) -> {ready, make_ref()} end,
        fun() ->
            <<"lost">> = twitter_requests:publish(Alice, <<"lost">>, <<"Not sent">>),
            ok = twitter_server:settle(Server, ?SERVICE)
        end
    ),
    {_, _} = binary:match(twitter_server:log(Server), <<"was not sent to all">>),
    ?assertEqual(Processes, processes_of(Server)),
    <<"sent">> = twitter_requests:publish(Alice, <<"sent">>, <<"Sent">>),
    ?assertMatch([{item, _, <<"sent">>, _}], twitter_events:posts(Server, Bob)),
    ?assertMatch([_, _], twitter_reading:entries(Bob, ?FRIENDS)).

%%% Helpers

friends(Config) ->
    list_to_tuple(twitter_cases:friends(Config, [<<"alice">>, <<"bob">>])).

%% Meanwhile the server has something else under this key. The library keeps what a reference of its own stands
%% for only as long as somebody in that server has it.
with_term(Server, Key, Change, Fun) ->
    Real = twitter_server:call(Server, persistent_term, get, [Key]),
    ok = twitter_server:call(Server, persistent_term, put, [?MODULE, Real]),
    ok = twitter_server:call(Server, persistent_term, put, [Key, Change(Real)]),
    try
        Fun()
    after
        ok = twitter_server:call(Server, persistent_term, put, [Key, Real]),
        true = twitter_server:call(Server, persistent_term, erase, [?MODULE])
    end.

posts_in_memory(Server) ->
    {_, _, _, Posts, _} = twitter_server:call(Server, twitter_index, memory, [?SERVICE]),
    Posts.

%% The plugin's own.
processes_of(Server) ->
    Names = twitter_server:call(Server, erlang, registered, []),
    lists:sort([
        {Name, twitter_server:call(Server, erlang, whereis, [Name])}
     || Name <- Names,
        string:prefix(atom_to_list(Name), "twitter_") =/= nomatch
    ]).
