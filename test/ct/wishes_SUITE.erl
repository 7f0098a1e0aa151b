%%% What readers want to get, set by commands (XEP-0050): settings, and friends who are muted.
-module(wishes_SUITE).

-include_lib("fast_xml/include/fxml.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_suite/1, end_per_suite/1]).
-export([
    settings_come_along_at_the_top/1,
    settings_are_saved/1,
    a_friend_is_muted_and_heard_again/1,
    a_friend_is_chosen/1,
    a_mute_may_have_a_date/1,
    no_error_was_logged/1
]).

-define(ROOT, <<"/twitter">>).
-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).

all() ->
    [
        settings_come_along_at_the_top,
        settings_are_saved,
        a_friend_is_muted_and_heard_again,
        a_friend_is_chosen,
        a_mute_may_have_a_date,
        no_error_was_logged
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% Settings

settings_come_along_at_the_top(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Form = twitter_dialog:execute(Alice, ?ROOT),
    ?assertEqual([<<"text">>, <<"pushes">>, <<"bodies">>, <<"catch_up">>], [Var || {Var, _} <- twitter_dialog:types(Form)]),
    Sent = [{<<"text">>, []}, {<<"pushes">>, <<"false">>}, {<<"bodies">>, <<"1">>}],
    Done = twitter_dialog:reply(Alice, Form, <<>>, Sent),
    ?assertEqual(<<"completed">>, twitter_dialog:status(Done)),
    ?assertEqual([], twitter_reading:ids(Alice, ?MINE)),
    _ = twitter_requests:publish(Bob, <<"Not sent">>),
    ?assertEqual([], twitter_events:posts(Server, Alice)),
    %% Both at once.
    Again = twitter_dialog:execute(Alice, ?ROOT),
    ?assertMatch(#{<<"pushes">> := [<<"0">>], <<"bodies">> := [<<"1">>], <<"catch_up">> := [<<"1">>]}, twitter_dialog:values(Again)),
    _ = twitter_dialog:reply(Alice, Again, <<>>, [{<<"text">>, <<"Back">>}, {<<"pushes">>, <<"true">>}]),
    ?assertMatch([{item, _, _, _}], twitter_events:posts(Server, Bob)),
    _ = twitter_requests:publish(Bob, <<"Sent">>),
    ?assertMatch([{item, _, _, [{xmlcdata, <<"Sent">>}]}], twitter_events:posts(Server, Alice)).

settings_are_saved(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Form = twitter_dialog:execute(Alice, <<"twitter#settings">>),
    ?assertEqual([{Var, <<"boolean">>} || Var <- [<<"pushes">>, <<"bodies">>, <<"catch_up">>]], twitter_dialog:types(Form)),
    Done = twitter_dialog:reply(Alice, Form, <<"complete">>, [{<<"bodies">>, <<"0">>}, {<<"unknown">>, <<"x">>}]),
    ?assertNotEqual(<<>>, twitter_dialog:note(Done)),
    _ = twitter_requests:publish(Bob, <<"Without a body">>),
    ?assertMatch([none], [twitter_events:body(Event) || Event <- twitter_events:received(Server, Alice)]).

%%% Mutes

a_friend_is_muted_and_heard_again(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    BobJid = twitter_client:bare(Bob),
    Row = <<"/twitter/MyFriends/", BobJid/binary>>,
    Form = twitter_dialog:execute(Alice, Row),
    ?assertEqual(none, twitter_dialog:actions(Form)),
    ?assertNot(lists:keymember(<<"unmute">>, 1, twitter_dialog:options(Form, <<"until">>))),
    Done = twitter_dialog:reply(Alice, Form, <<>>, [{<<"until">>, <<"forever">>}]),
    ?assertMatch({match, _}, re:run(twitter_dialog:note(Done), "is muted")),
    Id = twitter_requests:publish(Bob, <<"Not heard">>),
    ?assertEqual([], twitter_events:posts(Server, Alice)),
    ?assertEqual([], twitter_reading:ids(Alice, ?FRIENDS)),
    ?assertEqual([Id], twitter_reading:ids(Alice, Row)),
    Settings = iolist_to_binary(twitter_dialog:instructions(twitter_dialog:execute(Alice, <<"twitter#settings">>))),
    ?assertMatch({match, _}, re:run(Settings, BobJid)),
    Again = twitter_dialog:execute(Alice, Row),
    ?assertMatch(#{<<"until">> := [<<"unmute">>]}, twitter_dialog:values(Again)),
    Heard = twitter_dialog:reply(Alice, Again, <<>>, [{<<"until">>, <<"unmute">>}, {<<"date">>, <<>>}]),
    ?assertMatch({match, _}, re:run(twitter_dialog:note(Heard), "is not muted")),
    ?assertEqual([Id], twitter_reading:ids(Alice, ?FRIENDS)).

a_friend_is_chosen(Config) ->
    [Alice, Bob, Carol] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>, <<"carol">>]),
    [BobJid, CarolJid] = [twitter_client:bare(Client) || Client <- [Bob, Carol]],
    %% Names turn nothing around here, either.
    ok = twitter_cases:rename(Config, Alice, BobJid, <<"Bob\x{202e}by"/utf8>>),
    List = twitter_dialog:execute(Alice, <<"twitter#mute">>),
    ?assertEqual([{BobJid, <<"Bobby">>}, {CarolJid, CarolJid}], twitter_dialog:options(List, <<"friend">>)),
    Form = twitter_dialog:reply(Alice, List, <<"next">>, [{<<"friend">>, BobJid}]),
    ?assertEqual({<<"complete">>, [<<"complete">>, <<"prev">>]}, twitter_dialog:actions(Form)),
    ?assertMatch({match, _}, re:run(twitter_dialog:title(Form), "Bobby")),
    Back = twitter_dialog:reply(Alice, Form, <<"prev">>, none),
    Other = twitter_dialog:reply(Alice, Back, <<>>, [{<<"friend">>, CarolJid}]),
    _ = twitter_dialog:reply(Alice, Other, <<>>, [{<<"until">>, <<"week">>}]),
    _ = twitter_cases:chat([Bob, Carol], 1),
    ?assertEqual([{BobJid, <<"1">>}], twitter_reading:posts(Alice, ?FRIENDS)),
    %% Who has no friends has nobody to choose.
    [Lonely] = twitter_cases:strangers(Config, [<<"lonely">>]),
    ?assertEqual(<<"completed">>, twitter_dialog:status(twitter_dialog:execute(Lonely, <<"twitter#mute">>))).

a_mute_may_have_a_date(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    BobJid = twitter_client:bare(Bob),
    Row = <<"/twitter/MyFriends/", BobJid/binary>>,
    Form = twitter_dialog:execute(Alice, Row),
    Done = twitter_dialog:reply(Alice, Form, <<>>, [{<<"until">>, <<"hour">>}, {<<"date">>, <<"2999-12-31">>}]),
    ?assertMatch({match, _}, re:run(twitter_dialog:note(Done), "2999-12-31T00:00:00Z")),
    #{muted := Muted} = twitter_server:call(twitter_cases:server(Config), twitter_settings, get,
                                            [twitter_server:call(twitter_cases:server(Config), jid, decode, [twitter_client:bare(Alice)])]),
    ?assertEqual([{BobJid, 32503593600000000}], Muted),
    Again = twitter_dialog:execute(Alice, Row),
    Wrong = [twitter_dialog:reply(Alice, Again, <<>>, [{<<"until">>, <<"hour">>}, {<<"date">>, Date}])
             || Date <- [<<"2001-01-01">>, <<"tomorrow">>, <<"2999-02-30">>]],
    [?assertEqual(<<"bad-payload">>, twitter_dialog:condition(Answer)) || Answer <- Wrong].

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).
