%%% Which commands (XEP-0050) are offered to whom: exactly those that can be executed.
-module(offers_SUITE).

-include_lib("fast_xml/include/fxml.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_suite/1, end_per_suite/1, end_per_testcase/2]).
-export([
    rows_say_where_there_is_a_command/1,
    the_service_lists_what_can_be_executed/1,
    a_command_says_what_it_is/1,
    without_private_storage_there_are_no_settings/1,
    readers_from_elsewhere_read/1,
    who_is_nobody_has_nothing_of_his_own/1,
    mod_pubsub_has_its_own/1,
    no_error_was_logged/1
]).

-define(SERVICE, <<"pubsub.localhost">>).
-define(ROOT, <<"/twitter">>).
-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(PENDING, <<"http://jabber.org/protocol/pubsub#get-pending">>).
-define(OURS, [
    <<"twitter#post">>, <<"twitter#edit">>, <<"twitter#latest">>, <<"twitter#missed">>, <<"twitter#mute">>, <<"twitter#settings">>
]).

all() ->
    [
        rows_say_where_there_is_a_command,
        the_service_lists_what_can_be_executed,
        a_command_says_what_it_is,
        without_private_storage_there_are_no_settings,
        readers_from_elsewhere_read,
        who_is_nobody_has_nothing_of_his_own,
        mod_pubsub_has_its_own,
        no_error_was_logged
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config, #{
        hosts => [<<"localhost">>, <<"other.localhost">>], options => #{auth_method => [mnesia, anonymous]}
    }).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

end_per_testcase(_Case, Config) ->
    ok = twitter_server:reload(twitter_cases:server(Config), #{twitter => #{}, modules => #{}}).

%%% Rows and lists

rows_say_where_there_is_a_command(Config) ->
    {Alice, Bob, Eve, Oscar} = people(Config),
    [Own, His] = [twitter_requests:publish(Client, <<"Hello">>) || Client <- [Alice, Bob]],
    BobJid = twitter_client:bare(Bob),
    Friend = <<"/twitter/MyFriends/", BobJid/binary>>,
    Rows = [?ROOT, ?MINE, ?FRIENDS, <<"/twitter/MyFriends">>, Friend, <<?MINE/binary, "/", Own/binary>>,
            <<?FRIENDS/binary, "/", His/binary>>, <<Friend/binary, "/", His/binary>>],
    %% Of each: who sees the row, and has a command there.
    Expected = [{Alice, "ccc-cc--"}, {Bob, "ccc-    "}, {Eve, "ccc-    "}, {Oscar, "--c-    "}],
    [
        begin
            Answer = twitter_requests:info(place(Client), Row),
            Offered = twitter_answers:refusal(Answer) =:= none andalso twitter_dialog:is_offered(place(Client), Row),
            Refusal = twitter_answers:refusal(twitter_dialog:execute(place(Client), Row)),
            Found = case {Offered, twitter_answers:refusal(Answer)} of
                        {true, none} -> $c;
                        {false, none} -> $-;
                        {false, <<"item-not-found">>} -> $\s
                    end,
            ?assertEqual({Row, Letter}, {Row, Found}),
            ?assertEqual({Row, Offered}, {Row, Refusal =:= none}),
            ?assert(Offered orelse Refusal =:= <<"item-not-found">>)
        end
     || {Client, Letters} <- Expected, {Row, Letter} <- lists:zip(Rows, Letters)
    ].

the_service_lists_what_can_be_executed(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, _Bob, _Eve, Oscar} = people(Config),
    Check = fun(Client, Expected) ->
        [{?PENDING, _} | Listed] = twitter_dialog:list(place(Client)),
        ?assertEqual(Expected, [Node || {Node, _} <- Listed]),
        [?assertNotEqual(<<>>, Name) || {_, Name} <- Listed],
        Works = [Node || Node <- ?OURS, twitter_answers:refusal(twitter_dialog:execute(place(Client), Node)) =:= none],
        ?assertEqual(Expected, Works)
    end,
    Check(Alice, ?OURS),
    Check(Oscar, [<<"twitter#latest">>]),
    ok = twitter_server:reload(Server, #{twitter => #{access_post => none}}),
    Check(Alice, ?OURS -- [<<"twitter#post">>]),
    ?assertNot(twitter_dialog:is_offered(Alice, ?MINE)),
    ?assertEqual(<<"item-not-found">>, twitter_answers:refusal(twitter_dialog:execute(Alice, ?MINE))),
    %% Settings are left at the top.
    ?assertMatch([{<<"pushes">>, _} | _], twitter_dialog:types(twitter_dialog:execute(Alice, ?ROOT))).

a_command_says_what_it_is(Config) ->
    {Alice, _Bob, _Eve, Oscar} = people(Config),
    [
        begin
            Info = twitter_requests:info(Alice, Node),
            ?assertEqual([{<<"automation">>, <<"command-node">>, {value, Name}}], twitter_answers:identities(Info)),
            Query = fxml:get_subtag(Info, <<"query">>),
            Features = [fxml:get_tag_attr_s(<<"var">>, El) || #xmlel{name = <<"feature">>} = El <- Query#xmlel.children],
            ?assertEqual([<<"http://jabber.org/protocol/commands">>, <<"jabber:x:data">>], lists:sort(Features)),
            ?assertEqual([], twitter_reading:rows(Alice, Node))
        end
     || {<<"twitter#", _/binary>> = Node, Name} <- twitter_dialog:list(Alice)
    ],
    Unknown = [Ask(Client, Node) || Ask <- [fun twitter_requests:info/2, fun twitter_requests:rows/2],
                                    {Client, Node} <- [{Alice, <<"twitter#nothing">>}, {place(Oscar), <<"twitter#settings">>}]],
    [?assertEqual(<<"item-not-found">>, twitter_answers:refusal(Answer)) || Answer <- Unknown].

without_private_storage_there_are_no_settings(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob, _, _} = people(Config),
    BobJid = twitter_client:bare(Bob),
    Open = twitter_dialog:execute(Alice, <<"twitter#settings">>),
    ok = twitter_server:reload(Server, #{modules => #{mod_private => absent}}),
    ?assertEqual([?PENDING, <<"twitter#post">>, <<"twitter#edit">>, <<"twitter#latest">>], [Node || {Node, _} <- twitter_dialog:list(Alice)]),
    ?assertEqual([{<<"text">>, <<"text-multi">>}], twitter_dialog:types(twitter_dialog:execute(Alice, ?ROOT))),
    ?assertNot(twitter_dialog:is_offered(Alice, <<"/twitter/MyFriends/", BobJid/binary>>)),
    ?assertEqual(<<"item-not-found">>, twitter_answers:refusal(twitter_dialog:reply(Alice, Open, <<>>, [{<<"pushes">>, <<"0">>}]))).

%%% Others

%% A user of another server has no stream here, and no dialogs: he gets one page.
readers_from_elsewhere_read(Config) ->
    {Alice, _, _, Oscar} = people(Config),
    _ = twitter_requests:publish_all(Alice, [integer_to_binary(N) || N <- lists:seq(1, 25)]),
    [
        begin
            Answer = twitter_dialog:execute(place(Oscar), Node),
            ?assertEqual({<<"completed">>, <<>>}, {twitter_dialog:status(Answer), twitter_dialog:sid(Answer)}),
            ?assertEqual(20, length(twitter_dialog:table(Answer)))
        end
     || Node <- [?FRIENDS, <<"twitter#latest">>]
    ].

%% He has logged in without an account.
who_is_nobody_has_nothing_of_his_own(Config) ->
    Nobody = twitter_client:anonymous(twitter_cases:server(Config), <<"localhost">>),
    ?assertEqual([?PENDING, <<"twitter#latest">>], [Node || {Node, _} <- twitter_dialog:list(place(Nobody))]),
    Refused = [Node || Node <- [?ROOT, ?MINE | ?OURS], twitter_answers:refusal(twitter_dialog:execute(place(Nobody), Node)) =/= none],
    ?assertEqual([?ROOT, ?MINE | ?OURS] -- [<<"twitter#latest">>], Refused),
    ?assertNot(twitter_dialog:is_offered(place(Nobody), ?MINE)),
    ok = twitter_client:close(Nobody).

mod_pubsub_has_its_own(Config) ->
    {Alice, _, _, _} = people(Config),
    Pending = twitter_dialog:execute(Alice, ?PENDING),
    ?assertNotEqual(undefined, Pending),
    Leads = fun(Node) -> twitter_dialog:request(Alice, [{<<"node">>, ?PENDING}], [twitter_dialog:form([{<<"pubsub#node">>, Node}])]) end,
    [?assertEqual(<<"item-not-found">>, twitter_answers:refusal(Leads(Node))) || Node <- [?MINE, ?ROOT]],
    Unknown = [twitter_dialog:execute(Alice, Node) || Node <- [<<"twitter#nothing">>, <<"nothing">>, <<"/twitter/nothing">>, <<"/twitter/MyFriends">>]],
    [?assertEqual(<<"item-not-found">>, twitter_answers:refusal(Answer)) || Answer <- Unknown],
    Nameless = twitter_dialog:request(Alice, [], []),
    ?assert(lists:member(twitter_answers:refusal(Nameless), [<<"bad-request">>, <<"item-not-found">>])).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

%% Alice, with a friend here and one on another host; and somebody whom nobody knows.
people(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    [Eve] = twitter_cases:strangers(Config, [<<"eve">>]),
    Oscar = twitter_users:fresh(Server, <<"oscar">>, <<"other.localhost">>),
    ok = twitter_users:befriend(Server, twitter_cases:user(Alice), Oscar),
    {Alice, Bob, Eve, twitter_users:login(Server, Oscar)}.

place(Client) -> {Client, ?SERVICE}.
