%%% The options of mod_twitter do what they say, and those of mod_pubsub for ordinary nodes
%%% do nothing to microblogs.
-module(options_SUITE).

-include_lib("fast_xml/include/fxml.hrl").

-export([all/0, init_per_suite/1, end_per_suite/1, init_per_testcase/2, end_per_testcase/2]).
-export([
    a_post_has_a_body/1,
    a_post_has_no_body/1,
    posts_have_a_largest_size/1,
    the_oldest_posts_go_first/1,
    an_edit_is_no_new_post/1,
    a_smaller_number_holds_from_the_next_post_on/1,
    posts_without_limit/1,
    settings_of_ordinary_nodes_do_not_matter/1
]).

-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).

all() ->
    [
        a_post_has_a_body,
        a_post_has_no_body,
        posts_have_a_largest_size,
        the_oldest_posts_go_first,
        an_edit_is_no_new_post,
        a_smaller_number_holds_from_the_next_post_on,
        posts_without_limit,
        settings_of_ordinary_nodes_do_not_matter
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

init_per_testcase(_Case, Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = [twitter_users:fresh(Server, Name) || Name <- [<<"alice">>, <<"bob">>]],
    ok = twitter_users:befriend(Server, Alice, Bob),
    [{alice, twitter_users:login(Server, Alice)}, {bob, twitter_users:login(Server, Bob)} | Config].

end_per_testcase(_Case, Config) ->
    Server = twitter_cases:server(Config),
    ok = twitter_server:reload(Server, #{twitter => #{}, pubsub => #{}}),
    ok = twitter_server:await_service(Server, <<"localhost">>).

%%% body

a_post_has_a_body(Config) ->
    {Alice, Bob} = reloaded(Config, #{body => true}),
    Id = twitter_requests:publish(Alice, <<"Hello">>),
    Event = twitter_client:expect(Bob, twitter_events:is_event(?FRIENDS, Id)),
    Body = <<(twitter_client:bare(Alice))/binary, ": Hello">>,
    Body = fxml:get_path_s(Event, [{elem, <<"body">>}, cdata]).

a_post_has_no_body(Config) ->
    {Alice, Bob} = reloaded(Config, #{body => false}),
    Id = twitter_requests:publish(Alice, <<"Hello">>),
    Event = twitter_client:expect(Bob, twitter_events:is_event(?FRIENDS, Id)),
    [#xmlel{name = <<"event">>}] = Event#xmlel.children.

%%% max_post_size

%% The size is that of the payload's XML in bytes.
posts_have_a_largest_size(Config) ->
    {Alice, Bob} = reloaded(Config, #{max_post_size => 100}),
    Exactly = fun(Size) ->
        Start = <<"<a xmlns='urn:a'>">>,
        Padding = binary:copy(<<"x">>, Size - byte_size(<<Start/binary, "</a>">>)),
        fxml_stream:parse_element(<<Start/binary, Padding/binary, "</a>">>)
    end,
    Payloads = [
        {binary:copy(<<"x">>, 100), binary:copy(<<"x">>, 101)},
        {binary:copy(<<"☃"/utf8>>, 33), binary:copy(<<"☃"/utf8>>, 34)},
        {Exactly(100), Exactly(101)}
    ],
    lists:foreach(
        fun({Fits, TooBig}) ->
            Id = twitter_requests:publish(Alice, <<>>, Fits),
            [{_, Id, Fits}] = twitter_reading:entries(Bob, <<"/twitter/FriendsStream/", Id/binary>>),
            Answer = twitter_requests:pubsub(Alice, set, [
                "<publish node='/twitter/MyStream'><item>", TooBig, "</item></publish>"
            ]),
            <<"not-acceptable">> = twitter_answers:refusal(Answer),
            <<"payload-too-big">> = twitter_answers:detail(Answer),
            {_, _} = binary:match(twitter_answers:error_text(Answer), <<"100">>)
        end,
        Payloads
    ),
    3 = length(twitter_reading:entries(Alice, ?MINE)).

%%% max_posts

the_oldest_posts_go_first(Config) ->
    {Alice, Bob} = reloaded(Config, #{max_posts => 3}),
    Own = twitter_requests:publish(Bob, <<"Bob's own">>),
    [First, Second | Kept] = [publish_number(Alice, N) || N <- lists:seq(1, 5)],
    Kept = twitter_reading:ids(Alice, ?MINE),
    %% A limit for each author: Bob's post, the oldest of all, stays.
    [Own] = twitter_reading:ids(Bob, ?MINE),
    OfAlice = <<"/twitter/MyFriends/", (twitter_client:bare(Alice))/binary>>,
    lists:foreach(
        fun(Node) ->
            Kept = twitter_reading:ids(Bob, Node),
            Rows = [<<Node/binary, "/", Id/binary>> || Id <- lists:reverse(Kept)],
            Rows = [Row || {Row, _} <- twitter_reading:rows(Bob, Node)],
            [
                <<"item-not-found">> =
                    twitter_answers:refusal(
                        twitter_requests:pubsub(Bob, get, ["<items node='", Node, "/", Id, "'/>"])
                    )
             || Id <- [First, Second]
            ],
            {_, #{count := 3}} = twitter_reading:page(Bob, Node, #{max => 1})
        end,
        [?FRIENDS, OfAlice]
    ),
    ok = twitter_server:restart(twitter_cases:server(Config)),
    Kept = twitter_reading:ids(again(Config, bob), ?FRIENDS).

an_edit_is_no_new_post(Config) ->
    {Alice, _} = reloaded(Config, #{max_posts => 2}),
    [First, Second] = [publish_number(Alice, N) || N <- [1, 2]],
    First = twitter_requests:publish(Alice, First, <<"edited">>),
    First = twitter_requests:publish(Alice, First, <<"edited again">>),
    [{_, First, <<"edited again">>}, {_, Second, <<"2">>}] = twitter_reading:entries(Alice, ?MINE),
    Third = publish_number(Alice, 3),
    [Second, Third] = twitter_reading:ids(Alice, ?MINE).

a_smaller_number_holds_from_the_next_post_on(Config) ->
    {Alice, Bob} = reloaded(Config, #{max_posts => 10}),
    Ids = [publish_number(Alice, N) || N <- lists:seq(1, 6)],
    {Alice, Bob} = reloaded(Config, #{max_posts => 2}),
    Ids = twitter_reading:ids(Bob, ?FRIENDS),
    Seventh = publish_number(Alice, 7),
    [lists:last(Ids), Seventh] =:= twitter_reading:ids(Bob, ?FRIENDS) orelse error(twitter_reading:ids(Bob, ?FRIENDS)).

posts_without_limit(Config) ->
    {Alice, _} = reloaded(Config, #{max_posts => unlimited}),
    Ids = [publish_number(Alice, N) || N <- lists:seq(1, 60)],
    Ids = [Id || {_, Id, _} <- twitter_reading:stream(Alice, ?MINE)],
    %% More than one answer holds by default.
    50 = length(twitter_reading:ids(Alice, ?MINE)).

%%% mod_pubsub

settings_of_ordinary_nodes_do_not_matter(Config) ->
    Server = twitter_cases:server(Config),
    ok = twitter_server:reload(Server, #{
        pubsub => #{
            access_createnode => none,
            max_items_node => 2,
            max_nodes_discoitems => 1,
            max_subscriptions_node => 0,
            last_item_cache => true,
            default_node_config => #{
                access_model => open,
                max_items => 1,
                max_payload_size => 10,
                persist_items => false,
                notify_retract => true,
                deliver_notifications => true
            },
            force_node_config => #{<<"/twitter/*">> => #{access_model => open, max_items => 1}}
        }
    }),
    ok = twitter_server:await_service(Server, <<"localhost">>),
    Alice = proplists:get_value(alice, Config),
    Bob = proplists:get_value(bob, Config),
    Ids = [twitter_requests:publish(Alice, <<"longer than ten bytes">>) || _ <- lists:seq(1, 4)],
    Ids = twitter_reading:ids(Bob, ?FRIENDS),
    [
        ?MINE,
        ?FRIENDS,
        <<"/twitter/MyFriends">>
    ] = [Node || {Node, _} <- twitter_reading:rows(Bob, <<"/twitter">>)],
    4 = length(twitter_reading:rows(Bob, ?FRIENDS)),
    %% Bob got four events, and none but those.
    Events = [Stanza || #xmlel{name = <<"message">>} = Stanza <- settled(Server, Bob)],
    Ids = [
        fxml:get_path_s(Event, [
            {elem, <<"event">>}, {elem, <<"items">>}, {elem, <<"item">>}, {attr, <<"id">>}
        ])
     || Event <- Events
    ],
    Carol = twitter_users:login(Server, twitter_users:fresh(Server, <<"carol">>)),
    Stored = twitter_path:stored(twitter_client:bare(Alice)),
    <<"item-not-found">> = twitter_answers:refusal(
        twitter_requests:pubsub(Carol, get, ["<items node='", Stored, "'/>"])
    ),
    %% Without the plugin the node still belongs to Alice alone.
    ok = twitter_server:restart(Server, #{twitter => absent}),
    Later = twitter_users:login(Server, twitter_users:fresh(Server, <<"carol">>)),
    true = none =/= twitter_answers:refusal(
        twitter_requests:pubsub(Later, get, ["<items node='", Stored, "'/>"])
    ).

%%% Helpers

reloaded(Config, Options) ->
    Server = twitter_cases:server(Config),
    ok = twitter_server:reload(Server, #{twitter => Options}),
    {proplists:get_value(alice, Config), proplists:get_value(bob, Config)}.

publish_number(Client, N) ->
    twitter_requests:publish(Client, integer_to_binary(N)).

settled(Server, Client) ->
    ok = twitter_server:settle(Server, <<"pubsub.localhost">>),
    twitter_client:sync(Client).

%% The same user, after a restart.
again(Config, Name) ->
    User = twitter_cases:user(proplists:get_value(Name, Config)),
    twitter_users:login(twitter_cases:server(Config), User).
