%%% Posts are moved between Mnesia and SQL: every one of them, once, as it was; and nobody sees afterwards what he
%%% could not see before.
-module(move_SUITE).

-include_lib("stdlib/include/assert.hrl").
-include_lib("fast_xml/include/fxml.hrl").

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1, init_per_group/2, end_per_group/2]).
-export([init_per_testcase/2, end_per_testcase/2]).
-export([
    every_post_is_moved_as_it_was/1,
    what_is_changed_after_it_was_copied/1,
    what_was_posted_on_both_sides/1,
    what_was_heard_is_moved_with_who_may_see_it/1,
    what_was_heard_since_then_is_not_mixed_in/1,
    what_ejabberd_has_exported_is_replaced/1,
    it_was_interrupted/1,
    posts_of_an_account_that_is_gone/1,
    what_cannot_be_done/1,
    no_error_was_logged/1
]).

-define(HOST, <<"localhost">>).
-define(PUBSUB, <<"pubsub.localhost">>).
-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [{group, to_sql}, {group, to_mnesia}].

groups() ->
    [{Group, [], Only ++ [
        every_post_is_moved_as_it_was,
        what_is_changed_after_it_was_copied,
        what_was_posted_on_both_sides,
        what_was_heard_is_moved_with_who_may_see_it,
        what_was_heard_since_then_is_not_mixed_in,
        it_was_interrupted,
        posts_of_an_account_that_is_gone,
        what_cannot_be_done,
        no_error_was_logged
    ]} || {Group, Only} <- [{to_sql, [what_ejabberd_has_exported_is_replaced]}, {to_mnesia, []}]].

%% All but posts stay in SQL.
init_per_suite(Config) ->
    {ok, _} = application:ensure_all_started(xmpp),
    Port = twitter_server:free_port(),
    Storage = case twitter_database:storage() of
        mnesia -> sqlite;
        Kind -> Kind
    end,
    Options = #{components => [Port], storage => Storage, pubsub => #{db_type => mnesia}},
    [{component, Port} | twitter_cases:start(Config, Options)].

end_per_suite(Config) ->
    twitter_cases:stop(Config).

init_per_group(to_sql, Config) -> [{from, mnesia}, {to, sql} | Config];
init_per_group(to_mnesia, Config) -> [{from, sql}, {to, mnesia} | Config].

end_per_group(_Group, _Config) ->
    ok.

init_per_testcase(_Case, Config) ->
    ok = use(Config, from),
    [{remote, twitter_remote:new(twitter_cases:server(Config), proplists:get_value(component, Config))} | Config].

end_per_testcase(_Case, Config) ->
    twitter_remote:delete(proplists:get_value(remote, Config)).

%%% Cases

every_post_is_moved_as_it_was(Config) ->
    [Bob, Alice, José] = Clients = twitter_cases:friends(Config, [<<"bob">>, <<"alice">>, <<"josé"/utf8>>]),
    Entry = fxml_stream:parse_element(<<"<entry xmlns='http://www.w3.org/2005/Atom' a='x&#10;y&#9;&apos;\"'>"
                                        "<title xml:lang='de'>Grüße &amp; 👍&#13;</title><x xmlns='urn:x'/></entry>"/utf8>>),
    Ids = [<<"a">>, <<"A">>, <<"é"/utf8>>, <<"É"/utf8>>, <<"e">>, <<"a ">>, <<"*">>, <<"tag:example.org,2008:/posts/1">>,
           binary:copy(<<"x">>, 36), <<(binary:copy(<<"x">>, 36))/binary, "y">>, <<(binary:copy(<<"x">>, 36))/binary, "z">>,
           binary:copy(<<"☃"/utf8>>, 85)],
    [Id = twitter_requests:publish(Author, Id, Id) || Author <- [Alice, José], Id <- Ids],
    <<"entry">> = twitter_requests:publish(Alice, <<"entry">>, Entry),
    <<"text">> = twitter_requests:publish(Alice, <<"text">>, <<" two\n lines & <b> "/utf8>>),
    <<"A">> = twitter_requests:publish(Alice, <<"A">>, <<"edited">>),
    ok = twitter_requests:retract(Alice, <<"e">>),
    Before = everything(Config, Clients),
    ?assertMatch({ok, _}, move(Config)),
    ?assertEqual(Before, everything(Config, Clients)),
    ok = use(Config, to),
    %% It was copied, and need not wait for anything.
    ?assertEqual(Before, everything(Config, Clients)),
    [?assertMatch({ok, _}, move(Config)) || _ <- [1, 2]],
    ?assertEqual(Before, everything(Config, Clients)),
    ?assertEqual([], authors(Config, from)),
    %% They can be edited and deleted there, and there is room for as many as before.
    <<"É"/utf8>> = twitter_requests:publish(Alice, <<"É"/utf8>>, <<"edited">>),
    ok = twitter_requests:retract(Alice, <<"A">>),
    ok = twitter_requests:purge(José),
    ?assertEqual((Ids -- [<<"e">>, <<"A">>]) ++ [<<"entry">>, <<"text">>], twitter_reading:ids(Alice, ?MINE)),
    ?assertEqual(length(Ids), length(twitter_reading:ids(Bob, ?FRIENDS))),
    logout(Clients).

what_is_changed_after_it_was_copied(Config) ->
    [Bob, Alice] = Clients = twitter_cases:friends(Config, [<<"bob">>, <<"alice">>]),
    publish(Alice, [<<"a">>, <<"b">>, <<"c">>, <<"d">>, <<"e">>]),
    {ok, _} = move(Config),
    ok = twitter_requests:retract(Alice, <<"a">>),
    <<"b">> = twitter_requests:publish(Alice, <<"b">>, <<"edited here">>),
    publish(Alice, [<<"f">>]),
    ok = use(Config, to),
    ok = twitter_requests:retract(Alice, <<"c">>),
    <<"d">> = twitter_requests:publish(Alice, <<"d">>, <<"edited there">>),
    publish(Alice, [<<"g">>]),
    {ok, _} = move(Config),
    ?assertEqual([{<<"b">>, <<"edited here">>}, {<<"d">>, <<"edited there">>}, {<<"e">>, <<"e">>}, {<<"f">>, <<"f">>},
                  {<<"g">>, <<"g">>}], texts(Bob, ?FRIENDS)),
    {ok, _} = move(Config),
    ?assertEqual([<<"b">>, <<"d">>, <<"e">>, <<"f">>, <<"g">>], twitter_reading:ids(Alice, ?MINE)),
    logout(Clients).

%% Nobody had copied anything before.
what_was_posted_on_both_sides(Config) ->
    [Bob, Alice] = Clients = twitter_cases:friends(Config, [<<"bob">>, <<"alice">>]),
    publish(Alice, [<<"a">>, <<"b">>]),
    ok = use(Config, to),
    ?assertEqual([], twitter_reading:ids(Bob, ?FRIENDS)),
    <<"b">> = twitter_requests:publish(Alice, <<"b">>, <<"another one">>),
    publish(Alice, [<<"c">>]),
    {ok, _} = move(Config),
    ?assertEqual([{<<"a">>, <<"a">>}, {<<"b">>, <<"another one">>}, {<<"c">>, <<"c">>}], texts(Bob, ?FRIENDS)),
    logout(Clients).

what_was_heard_is_moved_with_who_may_see_it(Config) ->
    [Bob, Carol] = Clients = [Client || Name <- [<<"bob">>, <<"carol">>], Client <- twitter_cases:friends(Config, [Name])],
    Alice = followed(Config, Clients),
    ok = twitter_remote:audience(Alice, [Bob]),
    recorded = twitter_remote:relay(Alice, [{item, <<"a">>, <<"For Bob">>}, {item, <<"b">>, <<"Gone">>}]),
    recorded = twitter_remote:relay(Alice, [{retract, <<"b">>}]),
    twitter_remote:single(Alice, Carol, [{item, <<"c">>, <<"For Carol">>}]),
    Seen = fun() -> {twitter_reading:entries(Bob, ?FRIENDS), twitter_reading:entries(Carol, ?FRIENDS)} end,
    Author = twitter_remote:jid(Alice),
    Before = {[{Author, <<"a">>, <<"For Bob">>}], [{Author, <<"c">>, <<"For Carol">>}]},
    ok = twitter_remote:sync(proplists:get_value(remote, Config)),
    ?assertEqual(Before, Seen()),
    {ok, _} = move(Config),
    ok = use(Config, to),
    {ok, _} = move(Config),
    ?assertEqual(Before, Seen()),
    %% What was retracted stays so, and what is sent now is for whom it is sent.
    ok = twitter_remote:audience(Alice, [Bob, Carol]),
    recorded = twitter_remote:relay(Alice, [{item, <<"d">>, <<"For both">>}]),
    ?assertEqual({[<<"a">>, <<"d">>], [<<"c">>, <<"d">>]},
                 {twitter_reading:ids(Bob, ?FRIENDS), twitter_reading:ids(Carol, ?FRIENDS)}),
    logout(Clients).

%% Numbers that say who may see what were given on both sides.
what_was_heard_since_then_is_not_mixed_in(Config) ->
    [Bob, Carol] = Clients = [Client || Name <- [<<"bob">>, <<"carol">>], Client <- twitter_cases:friends(Config, [Name])],
    Alice = followed(Config, Clients),
    ok = twitter_remote:audience(Alice, [Bob]),
    recorded = twitter_remote:relay(Alice, [{item, <<"a">>, <<"For Bob">>}]),
    ok = use(Config, to),
    ok = twitter_remote:audience(Alice, [Carol]),
    _ = twitter_remote:relay(Alice, [{item, <<"b">>, <<"For Carol">>}]),
    ?assertMatch({error, _, _, _}, move(Config)),
    ?assertEqual([], twitter_reading:ids(Bob, ?FRIENDS)),
    ?assertEqual([<<"b">>], twitter_reading:ids(Carol, ?FRIENDS)),
    ok = delete(Config, from, twitter_remote:jid(Alice)),
    logout(Clients).

%% Under ids that may be ours, or not.
what_ejabberd_has_exported_is_replaced(Config) ->
    Server = twitter_cases:server(Config),
    [Bob, Alice] = Clients = twitter_cases:friends(Config, [<<"bob">>, <<"alice">>]),
    publish(Alice, [<<"a">>, <<"B">>]),
    Name = twitter_client:bare(Alice),
    ok = twitter_stored:sql(Server, ["insert into pubsub_node(host, node, parent, plugin, nodeid) values ('pubsub.localhost', "
                                     "'/twitter/", Name, "/MyStream', '", 1, "/twitter', 'flat', 1000)"]),
    ok = twitter_stored:sql(Server, ["insert into pubsub_state(nodeid, jid, affiliation) values (1000, '", Name, "', 'o')"]),
    [ok = twitter_stored:sql(Server, ["insert into pubsub_item(nodeid, itemid, publisher, creation, modification, payload) "
                                      "values (1000, '", Id, "', '", Name, "', '001600:000000:000000', '001600:000000:000000', "
                                      "'<x/>')"])
     || Id <- ["a", "B", "c"]],
    Before = everything(Config, Clients),
    {ok, _} = move(Config),
    ok = use(Config, to),
    ?assertEqual(Before, everything(Config, Clients)),
    {ok, _} = move(Config),
    ?assertEqual(Before, everything(Config, Clients)),
    ?assertEqual([<<"a">>, <<"B">>], twitter_reading:ids(Bob, ?FRIENDS)),
    ?assertEqual([], twitter_stored:rows(Server, "select itemid from pubsub_item where nodeid=1000")),
    logout(Clients).

%% All is there, and was to be deleted on the other side.
it_was_interrupted(Config) ->
    [Bob, Alice] = Clients = twitter_cases:friends(Config, [<<"bob">>, <<"alice">>]),
    publish(Alice, [<<"a">>, <<"b">>]),
    {ok, _} = move(Config),
    ok = use(Config, to),
    Left = fun(Hold) ->
        ok = call(Config, from, write, [?PUBSUB, Hold]),
        {ok, _} = move(Config)
    end,
    Items = call(Config, from, items, [?PUBSUB, twitter_client:bare(Alice)]),
    {ok, _} = move(Config),
    [] = authors(Config, from),
    ok = twitter_requests:retract(Alice, <<"a">>),
    %% As if the end had come before they were deleted there: but all is known to be here.
    Jid = jid(Config, Alice),
    {ok, Nidx} = call(Config, from, create, [?PUBSUB, twitter_client:bare(Alice), Jid]),
    {ok, Here, true} = call(Config, to, find, [?PUBSUB, twitter_client:bare(Alice), Jid]),
    Mark = #xmlel{name = <<"moved">>, attrs = [{<<"xmlns">>, <<"urn:ejabberd:twitter:moved:0">>}, {<<"all">>, <<"true">>}]},
    [Item | _] = Items,
    ok = call(Config, to, write, [?PUBSUB, [with(Item, {<<1, "moved">>, Here}, [Mark])]]),
    Left([with(One, {element(1, element(2, One)), Nidx}, payload(One)) || One <- Items]),
    ?assertEqual([<<"b">>], twitter_reading:ids(Bob, ?FRIENDS)),
    ?assertEqual([], authors(Config, from)),
    logout(Clients).

posts_of_an_account_that_is_gone(Config) ->
    Server = twitter_cases:server(Config),
    [Bob, Alice] = twitter_cases:friends(Config, [<<"bob">>, <<"alice">>]),
    User = twitter_cases:user(Alice),
    Name = twitter_client:bare(Alice),
    publish(Alice, [<<"a">>]),
    {ok, _} = move(Config),
    ok = use(Config, to),
    ok = twitter_client:close(Alice),
    ok = twitter_users:unregister(Server, User),
    %% Not here, and not there.
    ?assertEqual([], [Side || Side <- [from, to], lists:member(Name, authors(Config, Side))]),
    {ok, _} = move(Config),
    ok = twitter_client:close(Bob).

what_cannot_be_done(Config) ->
    ?assertMatch({error, _, _, _}, move(Config, ?HOST, <<"dets">>)),
    ?assertMatch({error, _, _, _}, move(Config, <<"example.org">>, <<"sql">>)),
    ?assertMatch({error, _, _, _}, move(Config, <<"">>, <<"sql">>)).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

%% mod_pubsub uses that database from now on.
use(Config, Side) ->
    Server = twitter_cases:server(Config),
    Db = proplists:get_value(Side, Config),
    ok = twitter_server:reload(Server, #{pubsub => #{db_type => Db}}),
    ok = twitter_server:await_service(Server, ?HOST),
    Db = twitter_server:call(Server, twitter_storage, db, [?PUBSUB]),
    ok.

move(Config) ->
    move(Config, ?HOST, atom_to_binary(proplists:get_value(to, Config))).

move(Config, Host, To) ->
    twitter_server:call(twitter_cases:server(Config), twitter_admin, move_posts, [Host, To]).

call(Config, Side, Function, Args) ->
    Module = case proplists:get_value(Side, Config) of
        mnesia -> twitter_mnesia_storage;
        sql -> twitter_sql_storage
    end,
    twitter_server:call(twitter_cases:server(Config), Module, Function, Args).

authors(Config, Side) ->
    call(Config, Side, authors, [?PUBSUB]).

delete(Config, Side, Author) ->
    Service = twitter_server:call(twitter_cases:server(Config), jid, make, [?PUBSUB]),
    {ok, Nidx, true} = call(Config, Side, find, [?PUBSUB, Author, Service]),
    call(Config, Side, delete, [?PUBSUB, Author, Nidx]).

jid(Config, Client) ->
    twitter_server:call(twitter_cases:server(Config), jid, decode, [twitter_client:bare(Client)]).

%% Records of the server's, which this suite does not know by name.
with(Item, ItemId, Payload) ->
    setelement(2, setelement(3, setelement(tuple_size(Item), Item, Payload), element(2, ItemId)), ItemId).

payload(Item) ->
    element(tuple_size(Item), Item).

publish(Client, Ids) ->
    [Id = twitter_requests:publish(Client, Id, Id) || Id <- Ids].

texts(Client, Node) ->
    [{Id, Text} || {_, Id, Text} <- twitter_reading:entries(Client, Node)].

%% What everybody finds, and when it was posted and changed.
everything(Config, [Reader | Authors]) ->
    Server = twitter_cases:server(Config),
    {
        twitter_reading:stream(Reader, ?FRIENDS, 5),
        [twitter_reading:stream(Author, ?MINE) || Author <- Authors],
        [twitter_server:call(Server, twitter_store, all, [?PUBSUB, twitter_client:bare(Author)]) || Author <- Authors]
    }.

%% An author elsewhere whose presence all of them see.
followed(Config, Clients) ->
    Author = twitter_remote:author(proplists:get_value(remote, Config), <<"alice">>),
    [ok = twitter_cases:set_contact(Config, Client, twitter_remote:jid(Author), to) || Client <- Clients],
    Author.

logout(Clients) ->
    [ok = twitter_client:close(Client) || Client <- Clients],
    ok.
