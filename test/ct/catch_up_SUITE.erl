%%% Who comes online gets what he missed: the newest posts, in their order, each once.
-module(catch_up_SUITE).

-include_lib("fast_xml/include/fxml.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1, init_per_group/2, end_per_group/2]).
-export([
    what_was_missed_comes_once/1,
    it_looks_as_when_it_is_pushed/1,
    no_error_was_logged/1
]).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [{group, fast}, {group, full}].

groups() ->
    Cases = [{group, readers}, no_error_was_logged],
    [
        {fast, [], Cases},
        {full, [], Cases},
        {readers, [parallel], [
            what_was_missed_comes_once,
            it_looks_as_when_it_is_pushed
        ]}
    ].

init_per_suite(Config) -> Config.

end_per_suite(_Config) -> ok.

init_per_group(readers, Config) ->
    Config;
init_per_group(Way, Config) ->
    twitter_cases:start(Config, #{
        name => atom_to_list(Way),
        twitter => #{delivery => Way, catch_up => 5},
        modules => #{mod_stream_mgmt => #{}}
    }).

end_per_group(readers, _Config) -> ok;
end_per_group(_Way, Config) -> twitter_cases:stop(Config).

what_was_missed_comes_once(Config) ->
    {Alice, Bob} = author_and_reader(Config),
    ok = twitter_client:close(login(Config, Bob)),
    _ = twitter_requests:publish_all(Alice, [<<"a">>, <<"b">>]),
    Back = login(Config, Bob),
    ?assertEqual([<<"a">>, <<"b">>], ids(Config, Back)),
    _ = twitter_requests:publish_all(Alice, [<<"c">>]),
    ?assertEqual([<<"c">>], ids(Config, Back)),
    ok = twitter_client:close(Back),
    ?assertEqual([], ids(Config, login(Config, Bob))).

it_looks_as_when_it_is_pushed(Config) ->
    {Alice, Bob} = author_and_reader(Config),
    Online = login(Config, Bob),
    Publish = fun() -> twitter_requests:publish(Alice, <<"a">>, <<"Hello & good night">>) end,
    _ = Publish(),
    [Pushed] = events(Config, Online),
    ok = twitter_requests:retract(Alice, <<"a">>),
    ok = twitter_client:close(Online),
    _ = Publish(),
    [Late] = events(Config, login(Config, Bob)),
    Delay = fxml:get_subtag_with_xmlns(Late, <<"delay">>, <<"urn:xmpp:delay">>),
    ?assertEqual(<<"pubsub.localhost">>, fxml:get_tag_attr_s(<<"from">>, Delay)),
    ?assertEqual(plain(Pushed), plain(fxml:remove_subtags(Late, <<"delay">>, {<<"xmlns">>, <<"urn:xmpp:delay">>}))).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

author_and_reader(Config) ->
    [Alice, Bob] = twitter_cases:offline_friends(Config, [<<"alice">>, <<"bob">>]),
    {login(Config, Alice), Bob}.

login(Config, User) ->
    twitter_users:login(twitter_cases:server(Config), User).

events(Config, Client) ->
    twitter_events:received(twitter_cases:server(Config), Client).

ids(Config, Client) ->
    [Id || {item, _, Id, _} <- lists:flatmap(fun twitter_events:entries/1, events(Config, Client))].

plain(#xmlel{attrs = Attrs, children = Children} = El) ->
    El#xmlel{attrs = lists:sort(Attrs), children = lists:sort(Children)}.
