%%% Privacy lists (XEP-0016) of sessions and of users. What goes to a session, and what is asked by it, goes
%%% by the list that is active there, else by the default list of the user. What a user publishes is of
%%% the user: it goes by his default list, whichever session has published it. rights_SUITE has a table of
%%% what lists may say. All cases run with `delivery: fast' and with `delivery: full'.
-module(privacy_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1, init_per_group/2, end_per_group/2]).
-export([
    an_active_list_counts_for_its_session/1,
    an_active_list_takes_the_place_of_the_default_list/1,
    a_default_list_counts_for_all_sessions/1,
    a_default_list_counts_for_who_is_away/1,
    an_active_list_goes_with_its_session/1,
    an_active_list_of_the_author_counts_for_no_post/1,
    a_default_list_of_the_author_counts_whatever_is_active/1,
    a_reader_of_a_vhost_without_the_plugin/1,
    who_blocks_the_service_gets_nothing/1,
    no_error_was_logged/1
]).

-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(MY_FRIENDS, <<"/twitter/MyFriends">>).
-define(PLAIN, <<"plain.localhost">>).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [{group, fast}, {group, full}, no_error_was_logged].

groups() ->
    Cases = [
        an_active_list_counts_for_its_session,
        an_active_list_takes_the_place_of_the_default_list,
        a_default_list_counts_for_all_sessions,
        a_default_list_counts_for_who_is_away,
        an_active_list_goes_with_its_session,
        an_active_list_of_the_author_counts_for_no_post,
        a_default_list_of_the_author_counts_whatever_is_active,
        a_reader_of_a_vhost_without_the_plugin,
        who_blocks_the_service_gets_nothing
    ],
    [{fast, [parallel], Cases}, {full, [parallel], Cases}].

init_per_suite(Config) ->
    Plain = #{
        mod_caps => #{}, mod_disco => #{}, mod_ping => #{}, mod_privacy => #{}, mod_roster => #{},
        mod_pubsub => #{nodetree => tree, plugins => [<<"flat">>, <<"pep">>]}
    },
    twitter_cases:start(Config, #{
        hosts => [<<"localhost">>, ?PLAIN],
        options => #{host_config => #{?PLAIN => #{modules => Plain}}}
    }).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

init_per_group(Way, Config) ->
    ok = twitter_server:reload(twitter_cases:server(Config), #{twitter => #{delivery => Way}}),
    Config.

end_per_group(_Way, _Config) -> ok.

%%% Readers

an_active_list_counts_for_its_session(Config) ->
    {Alice, Desk, Phone} = friends(Config),
    ok = deny(Phone, Alice),
    check(Config, Alice, [{Desk, true}, {Phone, true}]),
    ok = twitter_lists:set(Phone, <<"<active name='deny'/>">>),
    check(Config, Alice, [{Desk, true}, {Phone, false}]),
    %% The list says something else, and is still active.
    ok = twitter_lists:set(Phone, [<<"<list name='deny'>">>, item(<<"nobody@localhost">>), <<"</list>">>]),
    check(Config, Alice, [{Desk, true}, {Phone, true}]),
    ok = deny(Phone, Alice),
    check(Config, Alice, [{Desk, true}, {Phone, false}]),
    ok = twitter_lists:set(Phone, <<"<active/>">>),
    check(Config, Alice, [{Desk, true}, {Phone, true}]).

an_active_list_takes_the_place_of_the_default_list(Config) ->
    {Alice, Desk, Phone} = friends(Config),
    ok = deny(Desk, Alice),
    ok = allow(Desk),
    ok = twitter_lists:set(Desk, <<"<default name='deny'/>">>),
    check(Config, Alice, [{Desk, false}, {Phone, false}]),
    ok = twitter_lists:set(Phone, <<"<active name='allow'/>">>),
    check(Config, Alice, [{Desk, false}, {Phone, true}]),
    ok = twitter_lists:set(Phone, <<"<active/>">>),
    check(Config, Alice, [{Desk, false}, {Phone, false}]).

a_default_list_counts_for_all_sessions(Config) ->
    {Alice, Desk, Phone} = friends(Config),
    ok = deny(Phone, Alice),
    ok = twitter_lists:set(Phone, <<"<default name='deny'/>">>),
    check(Config, Alice, [{Desk, false}, {Phone, false}]),
    Late = again(Config, Desk),
    check(Config, Alice, [{Desk, false}, {Phone, false}, {Late, false}]),
    ok = twitter_lists:set(Phone, <<"<default/>">>),
    check(Config, Alice, [{Desk, true}, {Phone, true}, {Late, true}]).

a_default_list_counts_for_who_is_away(Config) ->
    {Alice, Desk, Phone} = friends(Config),
    User = twitter_cases:user(Desk),
    ok = deny(Desk, Alice),
    ok = twitter_lists:set(Desk, <<"<default name='deny'/>">>),
    [ok = twitter_client:close(Client) || Client <- [Desk, Phone]],
    _ = twitter_requests:publish(Alice, <<"missed">>, <<"While you are away">>),
    Back = twitter_users:login(twitter_cases:server(Config), User),
    ok = twitter_requests:retract(Alice, <<"missed">>),
    check(Config, Alice, [{Back, false}]),
    ok = twitter_lists:set(Back, <<"<default/>">>),
    check(Config, Alice, [{Back, true}]).

an_active_list_goes_with_its_session(Config) ->
    {Alice, Desk, Phone} = friends(Config),
    ok = deny(Phone, Alice),
    ok = twitter_lists:set(Phone, <<"<active name='deny'/>">>),
    check(Config, Alice, [{Desk, true}, {Phone, false}]),
    ok = twitter_client:close(Phone),
    check(Config, Alice, [{Desk, true}, {again(Config, Desk), true}]).

%%% Authors

an_active_list_of_the_author_counts_for_no_post(Config) ->
    {Alice, Desk, Phone} = friends(Config),
    ok = deny(Alice, Desk),
    ok = twitter_lists:set(Alice, <<"<active name='deny'/>">>),
    check(Config, Alice, [{Desk, true}, {Phone, true}]),
    check(Config, again(Config, Alice), [{Desk, true}, {Phone, true}]).

a_default_list_of_the_author_counts_whatever_is_active(Config) ->
    {Alice, Desk, Phone} = friends(Config),
    ok = deny(Alice, Desk),
    ok = allow(Alice),
    ok = twitter_lists:set(Alice, <<"<default name='deny'/>">>),
    ok = twitter_lists:set(Alice, <<"<active name='allow'/>">>),
    check(Config, Alice, [{Desk, false}, {Phone, false}]),
    ok = twitter_lists:set(Alice, <<"<default/>">>),
    check(Config, Alice, [{Desk, true}, {Phone, true}]).

%%% Others

a_reader_of_a_vhost_without_the_plugin(Config) ->
    Server = twitter_cases:server(Config),
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    User = twitter_users:fresh(Server, <<"dave">>, ?PLAIN),
    ok = twitter_users:befriend(Server, twitter_cases:user(Alice), User),
    [Desk, Phone] = [twitter_users:login(Server, User) || _ <- [desk, phone]],
    ok = deny(Phone, Alice),
    ok = twitter_lists:set(Phone, <<"<active name='deny'/>">>),
    check(Config, Alice, [{Desk, true}, {Phone, false}]),
    ok = allow(Phone),
    ok = twitter_lists:set(Phone, <<"<active name='allow'/>">>),
    ok = twitter_lists:set(Phone, <<"<default name='deny'/>">>),
    check(Config, Alice, [{Desk, false}, {Phone, true}]).

%% Not even posts of those whom he sees: they come from it.
who_blocks_the_service_gets_nothing(Config) ->
    {Alice, Desk, Phone} = friends(Config),
    ok = twitter_users:block(Desk, <<"pubsub.localhost">>),
    ?assertEqual([[], []], pushed(Config, Alice, [Desk, Phone])),
    ok = twitter_users:unblock(Desk, <<"pubsub.localhost">>),
    check(Config, Alice, [{Desk, true}, {Phone, true}]),
    ok = twitter_lists:set(Phone, [<<"<list name='deny'>">>, item(<<"pubsub.localhost">>), <<"</list>">>]),
    ok = twitter_lists:set(Phone, <<"<active name='deny'/>">>),
    ?assertEqual([[item, retract], []], pushed(Config, Alice, [Desk, Phone])).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

%% An author, and two clients of a friend.
friends(Config) ->
    [Alice, Desk] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    {Alice, Desk, again(Config, Desk)}.

again(Config, Client) ->
    twitter_users:login(twitter_cases:server(Config), twitter_cases:user(Client)).

%% A list that denies somebody, and one that denies nobody who is there; in force nowhere yet.
deny(Client, Whom) ->
    twitter_lists:set(Client, [<<"<list name='deny'>">>, item(twitter_client:bare(Whom)), <<"</list>">>]).

allow(Client) ->
    twitter_lists:set(Client, [<<"<list name='allow'>">>, item(<<"nobody@localhost">>), <<"</list>">>]).

item(Jid) ->
    twitter_lists:item(#{whom => Jid}, whom).

%% What each client is told of a post, and finds of it.
check(Config, Author, Clients) ->
    Expected = [{Shown, Shown} || {_, Shown} <- Clients],
    <<"kept">> = twitter_requests:publish(Author, <<"kept">>, <<"Kept">>),
    Read = [found(Author, Client, <<"kept">>) || {Client, _} <- Clients],
    ok = twitter_requests:retract(Author, <<"kept">>),
    _ = [twitter_events:posts(twitter_cases:server(Config), Client) || {Client, _} <- Clients],
    Pushed = [Kinds =:= [item, retract] || Kinds <- pushed(Config, Author, [Client || {Client, _} <- Clients])],
    ?assertEqual(Expected, lists:zip(Pushed, Read)).

%% In all places or in none.
found(Author, Client, Id) ->
    Place = {Client, <<"pubsub.localhost">>},
    Jid = twitter_client:bare(Author),
    Stream = twitter_requests:items(Place, <<?MY_FRIENDS/binary, "/", Jid/binary>>),
    IsFriend = lists:keymember(<<?MY_FRIENDS/binary, "/", Jid/binary>>, 1, twitter_reading:rows(Place, ?MY_FRIENDS)),
    ?assertEqual(IsFriend, <<"item-not-found">> =/= twitter_answers:refusal(Stream)),
    IsThere = lists:member(Id, twitter_reading:ids(Place, ?FRIENDS)),
    ?assertEqual(IsThere, IsFriend andalso lists:member(Id, twitter_answers:ids(Stream))),
    ?assertEqual(IsThere, [] =/= twitter_reading:ids(Place, ?FRIENDS, #{ids => [Id]})),
    IsThere.

pushed(Config, Author, Clients) ->
    <<"pushed">> = twitter_requests:publish(Author, <<"pushed">>, <<"Hello">>),
    ok = twitter_requests:retract(Author, <<"pushed">>),
    [[element(1, Entry) || Entry <- twitter_events:posts(twitter_cases:server(Config), Client)] || Client <- Clients].
