%%% What is found out about other servers, and what is made of answers that are late, wrong or hostile.
-module(peer_SUITE).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_suite/1, end_per_suite/1]).
-export([
    a_server_with_the_plugin/1,
    a_server_without/1,
    a_service_for_many/1,
    the_limit_of_addresses/1,
    services_of_others_are_left_out/1,
    very_many_services/1,
    many_ask_at_once/1,
    what_was_asked_is_remembered/1,
    no_server/1,
    a_server_that_refuses_to_tell/1,
    a_service_that_is_down_is_asked_again/1,
    garbage/1,
    the_answer_of_somebody_else/1,
    no_answer_at_all/1,
    no_error_was_logged/1
]).
%% In the server under test.
-export([ask_all/1]).

-define(HOST, <<"pubsub.localhost">>).
-define(MUC, <<"http://jabber.org/protocol/muc">>).

all() ->
    [
        a_server_with_the_plugin,
        a_server_without,
        a_service_for_many,
        the_limit_of_addresses,
        services_of_others_are_left_out,
        very_many_services,
        many_ask_at_once,
        what_was_asked_is_remembered,
        no_server,
        a_server_that_refuses_to_tell,
        a_service_that_is_down_is_asked_again,
        garbage,
        the_answer_of_somebody_else,
        no_answer_at_all,
        no_error_was_logged
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% What a server can do

a_server_with_the_plugin(Config) ->
    Services = [{<<"muc.b.test">>, [?MUC]}, {<<"pubsub.b.test">>, [twitter_relay:ns()]}],
    Expected = #{
        relay => <<"pubsub.b.test">>, multicast => none, listed => [<<"muc.b.test">>, <<"pubsub.b.test">>]
    },
    {ok, Expected} = asked(Config, <<"b.test">>, #{services => Services}).

a_server_without(Config) ->
    {ok, #{relay := none, multicast := none, listed := []}} = asked(Config, <<"b.test">>, #{}).

a_service_for_many(Config) ->
    Services = [{<<"multicast.b.test">>, [?NS_ADDRESS]}],
    {ok, #{relay := none, multicast := {<<"multicast.b.test">>, 20}}} =
        asked(Config, <<"b.test">>, #{services => Services}),
    %% The server itself may be it.
    {ok, #{multicast := {<<"b.test">>, 20}}} =
        asked(Config, <<"b.test">>, #{features => [?NS_ADDRESS], services => Services}).

the_limit_of_addresses(Config) ->
    Service = <<"multicast.b.test">>,
    [
        begin
            Form = #xdata{
                type = result,
                fields = [
                    #xdata_field{type = hidden, var = <<"FORM_TYPE">>, values = [Type]},
                    #xdata_field{var = <<"message">>, values = Values}
                ]
            },
            Options = #{services => [{Service, [?NS_ADDRESS]}], forms => #{Service => [Form]}},
            ?assertMatch({Values, {ok, #{multicast := Expected}}}, {Values, asked(Config, <<"b.test">>, Options)})
        end
     || {Type, Values, Expected} <- [
            {?NS_ADDRESS, [<<"7">>], {Service, 7}},
            {?NS_ADDRESS, [<<"1000000">>], {Service, 200}},
            {?NS_ADDRESS, [<<"many">>], {Service, 20}},
            {?NS_ADDRESS, [], {Service, 20}},
            {?NS_ADDRESS, [<<"0">>], none},
            {?NS_ADDRESS, [<<"-3">>], none},
            {<<"urn:other">>, [<<"7">>], {Service, 20}}
        ]
    ].

%%% What it says of others

services_of_others_are_left_out(Config) ->
    Strangers = [
        #disco_item{jid = jid(Config, Jid)}
     || Jid <- [
            <<"pubsub.localhost">>, <<"a.test">>, <<"evilb.test">>, <<"test">>, <<"b.test.evil">>, <<"alice@b.test">>,
            <<"pubsub.b.test/x">>
        ]
    ],
    Nodes = [#disco_item{jid = service(<<"x.b.test">>), node = <<"room">>}],
    Options = #{services => [{<<"pubsub.b.test">>, []}, {<<"b.test">>, []}], items => Strangers ++ Nodes},
    Elsewhere = twitter_played:start(twitter_cases:server(Config), <<"b.test">>, Options),
    {ok, #{listed := Listed}} = ask(Config, <<"b.test">>),
    [<<"b.test">>, <<"pubsub.b.test">>] = lists:sort(Listed),
    Questions = [{info, <<"b.test">>}, {info, <<"pubsub.b.test">>}, {items, <<"b.test">>}],
    ?assertEqual(Questions, lists:sort(twitter_played:questions(Elsewhere))),
    twitter_played:stop(Elsewhere).

very_many_services(Config) ->
    Names = [<<"s", (integer_to_binary(N))/binary, ".b.test">> || N <- lists:seq(1, 3000)],
    Options = #{
        services => [{<<"b.test">>, []}],
        items => [#disco_item{jid = service(Name)} || Name <- Names],
        features => []
    },
    Elsewhere = twitter_played:start(twitter_cases:server(Config), <<"b.test">>, Options),
    {ok, #{listed := Listed}} = ask(Config, <<"b.test">>),
    100 = length(Listed),
    %% The others have no route: so they are not asked from here, but by connections of ejabberd.
    ?assert(length(twitter_played:questions(Elsewhere)) =< 2),
    twitter_played:stop(Elsewhere).

%%% Asking

many_ask_at_once(Config) ->
    Server = twitter_cases:server(Config),
    Elsewhere = twitter_played:start(Server, <<"b.test">>, #{services => [{<<"pubsub.b.test">>, []}]}),
    true = twitter_server:call(Server, code, add_patha, [filename:dirname(code:which(?MODULE))]),
    [{ok, _}] = lists:usort(twitter_server:call(Server, ?MODULE, ask_all, [100])),
    Questions = [{info, <<"b.test">>}, {info, <<"pubsub.b.test">>}, {items, <<"b.test">>}],
    ?assertEqual(Questions, lists:sort(twitter_played:questions(Elsewhere))),
    twitter_played:stop(Elsewhere).

ask_all(Askers) ->
    Self = self(),
    Pids = [spawn(fun() -> Self ! {self(), twitter_peer:ask(?HOST, <<"b.test">>)} end) || _ <- lists:seq(1, Askers)],
    [receive {Pid, Answer} -> Answer end || Pid <- Pids].

what_was_asked_is_remembered(Config) ->
    unknown = call(Config, known, [<<"b.test">>]),
    Elsewhere = twitter_played:start(twitter_cases:server(Config), <<"b.test">>, #{}),
    {ok, Known} = ask(Config, <<"b.test">>),
    [_, _] = twitter_played:questions(Elsewhere),
    {ok, Known} = ask(Config, <<"b.test">>),
    {ok, Known} = call(Config, known, [<<"b.test">>]),
    [] = twitter_played:questions(Elsewhere),
    ok = call(Config, forget, [<<"b.test">>]),
    unknown = call(Config, known, [<<"b.test">>]),
    {ok, Known} = ask(Config, <<"b.test">>),
    [_, _] = twitter_played:questions(Elsewhere),
    twitter_played:stop(Elsewhere).

%%% Those that do not answer

no_server(Config) ->
    {error, unreachable} = ask(Config, <<"nobody.invalid">>),
    unknown = call(Config, known, [<<"nobody.invalid">>]).

a_server_that_refuses_to_tell(Config) ->
    [
        {ok, #{relay := none, multicast := none, listed := []}} =
            asked(Config, <<"b.test">>, #{refusing => #{<<"b.test">> => Condition}})
     || Condition <- ['service-unavailable', 'feature-not-implemented', forbidden, 'not-allowed', 'bad-request']
    ],
    [
        {error, unreachable} = asked(Config, <<"b.test">>, #{refusing => #{<<"b.test">> => Condition}})
     || Condition <- ['remote-server-timeout', 'remote-server-not-found', 'resource-constraint']
    ].

%% It may be the one that takes relays.
a_service_that_is_down_is_asked_again(Config) ->
    Services = [{<<"pubsub.b.test">>, [twitter_relay:ns()]}],
    Down = #{<<"pubsub.b.test">> => 'remote-server-timeout'},
    Elsewhere = twitter_played:start(
        twitter_cases:server(Config), <<"b.test">>, #{services => Services, refusing => Down}
    ),
    {ok, #{relay := none}} = ask(Config, <<"b.test">>),
    Left = until(Config, <<"b.test">>),
    ?assert(Left > 30 andalso Left =< 60),
    ok = call(Config, forget, [<<"b.test">>]),
    ok = twitter_played:change(Elsewhere, #{refusing => #{}}),
    {ok, #{relay := <<"pubsub.b.test">>}} = ask(Config, <<"b.test">>),
    ?assert(until(Config, <<"b.test">>) > 3500),
    twitter_played:stop(Elsewhere).

garbage(Config) ->
    Row = #xmlel{name = <<"item">>, attrs = [{<<"jid">>, <<"@@@">>}]},
    Query = #xmlel{name = <<"query">>, attrs = [{<<"xmlns">>, ?NS_DISCO_ITEMS}], children = [Row]},
    Elsewhere = twitter_played:start(
        twitter_cases:server(Config), <<"b.test">>, #{raw => #{<<"b.test">> => Query}}
    ),
    {ok, #{relay := none, listed := []}} = ask(Config, <<"b.test">>),
    twitter_played:stop(Elsewhere).

the_answer_of_somebody_else(Config) ->
    Elsewhere = twitter_played:start(
        twitter_cases:server(Config), <<"b.test">>, #{answers_as => jid(Config, <<"mallory@b.test">>)}
    ),
    {error, unreachable} = ask(Config, <<"b.test">>),
    twitter_played:stop(Elsewhere).

no_answer_at_all(Config) ->
    Elsewhere = twitter_played:start(twitter_cases:server(Config), <<"b.test">>, #{dead => true}),
    Began = erlang:monotonic_time(millisecond),
    {error, unreachable} = ask(Config, <<"b.test">>),
    Took = erlang:monotonic_time(millisecond) - Began,
    ?assert(Took > 19_000 andalso Took < 25_000),
    twitter_played:stop(Elsewhere).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

jid(Config, Text) ->
    twitter_server:call(twitter_cases:server(Config), jid, decode, [Text]).

service(Name) ->
    #jid{server = Name, lserver = Name}.

asked(Config, Domain, Options) ->
    Elsewhere = twitter_played:start(twitter_cases:server(Config), Domain, Options),
    Answer = ask(Config, Domain),
    twitter_played:stop(Elsewhere),
    Answer.

ask(Config, Domain) ->
    call(Config, ask, [?HOST, Domain]).

%% For how many seconds it is remembered.
until(Config, Domain) ->
    {ok, {_, Until}} = twitter_server:call(twitter_cases:server(Config), ets_cache, lookup, [twitter_peer, Domain]),
    Until - twitter_server:call(twitter_cases:server(Config), erlang, monotonic_time, [second]).

call(Config, Function, Args) ->
    twitter_server:call(twitter_cases:server(Config), twitter_peer, Function, Args).
