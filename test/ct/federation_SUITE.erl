%%% Real servers: two with the plugin, and a stock one.
-module(federation_SUITE).
-include_lib("stdlib/include/assert.hrl").
-export([suite/0, all/0, init_per_suite/1, end_per_suite/1]).
-export([probe/1]).
suite() -> [{timetrap, {seconds, 120}}].
all() -> [probe].
init_per_suite(Config) ->
    {ok, _} = application:ensure_all_started(xmpp),
    twitter_federation:start(Config, #{a => #{}, b => #{}, c => #{plugin => false}}).
end_per_suite(Config) -> twitter_federation:stop(Config).
probe(Config) ->
    ok = twitter_federation:different_secrets(Config),
    [A, B, C] = [twitter_federation:user(Config, N, U) || {N, U} <- [{a, <<"alice">>}, {b, <<"bob">>}, {c, <<"carol">>}]],
    [Alice, Bob, Carol] = [twitter_federation:login(Config, X) || X <- [A, B, C]],
    T0 = erlang:monotonic_time(millisecond),
    ok = twitter_users:befriend(Alice, Bob),
    ct:pal("befriended ~p", [erlang:monotonic_time(millisecond) - T0]),
    ok = twitter_users:befriend(Alice, Carol),
    <<"p1">> = twitter_requests:publish(Alice, <<"p1">>, <<"Hello">>),
    RB = twitter_federation:received(Config, a, Bob),
    RC = twitter_federation:received(Config, a, Carol),
    ct:pal("~p~n~p~n~p", [erlang:monotonic_time(millisecond) - T0, [fxml:element_to_binary(X) || X <- RB], [fxml:element_to_binary(X) || X <- RC]]),
    [ct:pal("~p ~ts", [K, [[fxml:element_to_binary(S), "\n"] || S <- twitter_cable:carried(twitter_federation:cable(Config, X, Y))]])
     || {X, Y} = K <- [{a,b},{b,a},{a,c},{c,a}]],
    ct:pal("~p", [twitter_reading:entries(Bob, <<"/twitter/FriendsStream">>)]).
