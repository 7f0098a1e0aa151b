%%% Rights between servers as they change on either side, and names that change hands: nobody finds at his own server
%%% what was for others there, or learns from the wire who they are. More in federation_SUITE.
-module(federation_rights_SUITE).

-include_lib("fast_xml/include/fxml.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1]).
-export([
    who_may_not_is_not_named_on_the_way/1,
    the_reader_removes_the_author/1,
    the_reader_blocks_the_author/1,
    who_comes_later_finds_no_more_than_is_his/1,
    who_is_let_in_again_finds_no_hole_that_was_not_his/1,
    the_next_of_the_readers_name/1,
    the_next_of_the_authors_name/1,
    the_authors_account_is_deleted/1,
    friends_on_three_servers_in_one_stream/1,
    a_friend_of_a_friend_is_nobody/1,
    readers_elsewhere_delete_nothing/1,
    no_error_was_logged/1
]).

-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(MY_FRIENDS, <<"/twitter/MyFriends">>).
-define(MINE, <<"/twitter/MyStream">>).

suite() ->
    [{timetrap, {seconds, 90}}].

all() ->
    [
        who_may_not_is_not_named_on_the_way,
        the_reader_removes_the_author,
        the_reader_blocks_the_author,
        who_comes_later_finds_no_more_than_is_his,
        who_is_let_in_again_finds_no_hole_that_was_not_his,
        the_next_of_the_readers_name,
        the_next_of_the_authors_name,
        the_authors_account_is_deleted,
        friends_on_three_servers_in_one_stream,
        a_friend_of_a_friend_is_nobody,
        readers_elsewhere_delete_nothing,
        no_error_was_logged
    ].

init_per_suite(Config) ->
    {ok, _} = application:ensure_all_started(xmpp),
    twitter_federation:start(Config, #{a => #{}, b => #{}, c => twitter_federation:stock()}).

end_per_suite(Config) ->
    twitter_federation:stop(Config).

%%% Between the servers

who_may_not_is_not_named_on_the_way(Config) ->
    {Alice, [Bob, Carol | Others]} = friends(Config, [
        {b, <<"bob">>}, {c, <<"carol">>}, {b, <<"blocked">>}, {c, <<"blocked">>}, {b, <<"only-to">>}, {c, <<"only-to">>}
    ]),
    [BlockedB, BlockedC, ToB, ToC] = Others,
    [ok = twitter_users:block(Alice, twitter_client:bare(One)) || One <- [BlockedB, BlockedC]],
    [ok = twitter_federation:set_contact(Config, twitter_cases:user(Alice), twitter_cases:user(One), to) || One <- [ToB, ToC]],
    _ = [twitter_cable:carried(twitter_federation:cable(Config, a, To)) || To <- [b, c]],
    <<"secret">> = twitter_requests:publish(Alice, <<"secret">>, <<"Not for all">>),
    <<"secret">> = twitter_requests:publish(Alice, <<"secret">>, <<"Still not for all">>),
    ok = twitter_requests:retract(Alice, <<"secret">>),
    <<"last">> = twitter_requests:publish(Alice, <<"last">>, <<"Nor this">>),
    [?assertMatch({item, _, <<"last">>, _}, lists:last(twitter_federation:posts(Config, a, One))) || One <- [Bob, Carol]],
    Said = [Stanza || To <- [b, c], #xmlel{name = Name} = Stanza <- twitter_cable:carried(twitter_federation:cable(Config, a, To)),
                      Name =/= <<"presence">>],
    ?assertNotEqual([], Said),
    Text = iolist_to_binary([fxml:element_to_binary(Stanza) || Stanza <- Said]),
    [?assertEqual(nomatch, binary:match(Text, twitter_client:bare(One))) || One <- Others],
    %% Those who may are named: else this would prove nothing.
    [?assertNotEqual(nomatch, binary:match(Text, twitter_client:bare(One))) || One <- [Bob, Carol]].

%%% The reader's own server

%% The author's server has not heard of it.
the_reader_removes_the_author(Config) ->
    {Alice, [Bob, Dave]} = friends(Config, [{b, <<"bob">>}, {b, <<"dave">>}]),
    <<"1">> = twitter_requests:publish(Alice, <<"1">>, <<"For both">>),
    [?assertMatch([_], twitter_federation:posts(Config, a, One)) || One <- [Bob, Dave]],
    ok = twitter_federation:set_contact(Config, twitter_cases:user(Dave), twitter_cases:user(Alice), from),
    ?assertEqual([], twitter_reading:ids(Dave, ?FRIENDS)),
    <<"2">> = twitter_requests:publish(Alice, <<"2">>, <<"For Bob">>),
    ?assertMatch([{item, _, <<"2">>, _}], twitter_federation:posts(Config, a, Bob)),
    ?assertEqual([], twitter_federation:posts(Config, a, Dave)),
    ?assertEqual([], twitter_reading:ids(Dave, ?FRIENDS)),
    ?assertEqual([], twitter_reading:rows(Dave, ?MY_FRIENDS)).

the_reader_blocks_the_author(Config) ->
    {Alice, [Bob, Dave]} = friends(Config, [{b, <<"bob">>}, {b, <<"dave">>}]),
    ok = twitter_users:block(Dave, twitter_client:bare(Alice)),
    <<"1">> = twitter_requests:publish(Alice, <<"1">>, <<"For Bob">>),
    ?assertMatch([{item, _, <<"1">>, _}], twitter_federation:posts(Config, a, Bob)),
    ?assertEqual([], twitter_federation:posts(Config, a, Dave)).

%% The author has posts for Bob alone. Carl, a neighbour of his, becomes a friend: he finds what is published from then
%% on, and of the older ones none that was recorded for Bob only.
who_comes_later_finds_no_more_than_is_his(Config) ->
    {Alice, [Bob]} = friends(Config, [{b, <<"bob">>}]),
    <<"early">> = twitter_requests:publish(Alice, <<"early">>, <<"For Bob">>),
    ?assertMatch([_], twitter_federation:posts(Config, a, Bob)),
    Carl = client(Config, b, <<"carl">>),
    ok = twitter_federation:set_contact(Config, twitter_cases:user(Carl), twitter_cases:user(Alice), both),
    %% As long as she has not agreed he finds nothing, whatever his own roster says.
    ?assertEqual([], twitter_reading:ids(Carl, ?FRIENDS)),
    ok = twitter_federation:set_contact(Config, twitter_cases:user(Alice), twitter_cases:user(Carl), both),
    <<"late">> = twitter_requests:publish(Alice, <<"late">>, <<"For both">>),
    ?assertMatch([{item, _, <<"late">>, _}], twitter_federation:posts(Config, a, Carl)),
    ?assertEqual(<<"late">>, lists:last(twitter_reading:ids(Carl, ?FRIENDS))),
    ok = twitter_federation:settle(Config, a, Bob),
    ?assertEqual([<<"early">>, <<"late">>], twitter_reading:ids(Bob, ?FRIENDS)).

%% Dave is blocked while `2' is published and while `1' is edited.
who_is_let_in_again_finds_no_hole_that_was_not_his(Config) ->
    {Alice, [Bob, Dave]} = friends(Config, [{b, <<"bob">>}, {b, <<"dave">>}]),
    <<"1">> = twitter_requests:publish(Alice, <<"1">>, <<"For both">>),
    [?assertMatch([_], twitter_federation:posts(Config, a, One)) || One <- [Bob, Dave]],
    ok = twitter_users:block(Alice, twitter_client:bare(Dave)),
    <<"2">> = twitter_requests:publish(Alice, <<"2">>, <<"Without Dave">>),
    ?assertMatch([_], twitter_federation:posts(Config, a, Bob)),
    <<"1">> = twitter_requests:publish(Alice, <<"1">>, <<"A secret about Dave">>),
    ?assertMatch([_], twitter_federation:posts(Config, a, Bob)),
    ok = twitter_users:unblock(Alice, twitter_client:bare(Dave)),
    <<"3">> = twitter_requests:publish(Alice, <<"3">>, <<"For both again">>),
    ?assertMatch([{item, _, <<"3">>, _}], twitter_federation:posts(Config, a, Dave)),
    ?assertEqual(nomatch, binary:match(everything(Dave), <<"Without Dave">>)),
    ?assertEqual(nomatch, binary:match(everything(Dave), <<"A secret about Dave">>)),
    ok = twitter_federation:settle(Config, a, Bob),
    ?assertEqual([<<"1">>, <<"2">>, <<"3">>], twitter_reading:ids(Bob, ?FRIENDS)).

%%% Names that somebody else has later

the_next_of_the_readers_name(Config) ->
    {Alice, [Bob]} = friends(Config, [{b, <<"bob">>}]),
    <<"secret">> = twitter_requests:publish(Alice, <<"secret">>, <<"For Bob">>),
    ?assertMatch([_], twitter_federation:posts(Config, a, Bob)),
    ?assertEqual([<<"secret">>], twitter_reading:ids(Bob, ?FRIENDS)),
    B = twitter_federation:server(Config, b),
    {Name, Host} = User = twitter_cases:user(Bob),
    Witness = twitter_users:login(B, twitter_users:fresh(B, <<"witness">>)),
    ok = twitter_users:unregister(B, User),
    %% His server ends the subscriptions; what Alice's one says to that comes before this:
    [ok = say_hello(One, Other) || {One, Other} <- [{Witness, Alice}, {Alice, Witness}]],
    User = twitter_users:register(B, Name, Host),
    ok = twitter_federation:set_contact(Config, User, twitter_cases:user(Alice), both),
    Next = twitter_federation:login(Config, User),
    ?assertEqual([], twitter_reading:ids(Next, ?FRIENDS)),
    ?assertEqual([], twitter_reading:ids(Next, of_friend(Alice))),
    ?assertEqual(nomatch, binary:match(everything(Next), <<"For Bob">>)).

say_hello(One, Other) ->
    Id = integer_to_binary(erlang:unique_integer([positive])),
    ok = twitter_client:send(One, ["<message to='", twitter_client:jid(Other), "' id='", Id, "'><body>Hello</body></message>"]),
    #xmlel{} = twitter_client:expect(Other, fun(Stanza) -> fxml:get_tag_attr_s(<<"id">>, Stanza) =:= Id end),
    ok.

%% Who has the author's name later is not the author: what the former one said is gone with the account.
the_next_of_the_authors_name(Config) ->
    {Alice, [Bob]} = friends(Config, [{b, <<"bob">>}]),
    <<"1">> = twitter_requests:publish(Alice, <<"1">>, <<"Hello">>),
    ?assertMatch([_], twitter_federation:posts(Config, a, Bob)),
    A = twitter_federation:server(Config, a),
    {Name, Host} = User = twitter_cases:user(Alice),
    Stream = of_friend(Alice),
    Witness = twitter_users:login(A, twitter_users:fresh(A, <<"witness">>)),
    ok = twitter_users:unregister(A, User),
    %% As above.
    [ok = say_hello(One, Other) || {One, Other} <- [{Witness, Bob}, {Bob, Witness}]],
    User = twitter_users:register(A, Name, Host),
    ok = twitter_federation:befriend(Config, User, twitter_cases:user(Bob)),
    Next = twitter_federation:login(Config, User),
    <<"2">> = twitter_requests:publish(Next, <<"2">>, <<"I am new here">>),
    ok = twitter_federation:settle(Config, a, Bob),
    [?assertEqual([<<"2">>], twitter_reading:ids(Bob, Node)) || Node <- [?FRIENDS, Stream]].

the_authors_account_is_deleted(Config) ->
    {Alice, [Bob]} = friends(Config, [{b, <<"bob">>}]),
    _ = twitter_requests:publish_all(Alice, [<<"1">>, <<"2">>]),
    ok = twitter_federation:settle(Config, a, Bob),
    ?assertEqual([<<"1">>, <<"2">>], twitter_reading:ids(Bob, ?FRIENDS)),
    ok = twitter_users:unregister(twitter_federation:server(Config, a), twitter_cases:user(Alice)),
    ok = twitter_federation:settle(Config, a, Bob),
    ?assertEqual([], twitter_reading:ids(Bob, ?FRIENDS)).

%%% Friends of several servers

friends_on_three_servers_in_one_stream(Config) ->
    {Alice, [Bob]} = friends(Config, [{b, <<"bob">>}]),
    [Dave, Eve, Carol] = Friends = [client(Config, Name, User) || {Name, User} <- [{a, <<"dave">>}, {b, <<"eve">>}, {c, <<"carol">>}]],
    [ok = twitter_federation:befriend(Config, twitter_cases:user(Bob), twitter_cases:user(Friend)) || Friend <- Friends],
    Posts = lists:append([
        begin
            Published = twitter_requests:publish_all(Author, [Id]),
            ok = twitter_federation:settle(Config, a, Bob),
            Published
        end
     || Id <- [<<"1">>, <<"2">>, <<"3">>], Author <- [Alice, Dave, Eve]
    ]),
    ?assertEqual(Posts, twitter_reading:posts(Bob, ?FRIENDS)),
    [?assertEqual(Posts, lists:append(twitter_reading:pages(Bob, ?FRIENDS, {forward, Max}))) || Max <- [1, 2, 4]],
    [?assertEqual(Posts, lists:append(lists:reverse(twitter_reading:pages(Bob, ?FRIENDS, {backward, Max})))) || Max <- [1, 2, 4]],
    %% Of her nothing can be heard: her server has no microblogs.
    ?assertEqual(lists:sort([of_friend(Friend) || Friend <- [Alice | Friends]]),
                 lists:sort([Node || {Node, _} <- twitter_reading:rows(Bob, ?MY_FRIENDS)])),
    ?assertEqual([], twitter_reading:ids(Bob, of_friend(Carol))).

%% Bob's friends see Bob, and not what his friends elsewhere said to him.
a_friend_of_a_friend_is_nobody(Config) ->
    {Alice, [Bob]} = friends(Config, [{b, <<"bob">>}]),
    Eve = client(Config, b, <<"eve">>),
    Emil = client(Config, a, <<"emil">>),
    [ok = twitter_federation:befriend(Config, twitter_cases:user(Bob), twitter_cases:user(One)) || One <- [Eve, Emil]],
    <<"secret">> = twitter_requests:publish(Alice, <<"secret">>, <<"For Bob">>),
    ?assertMatch([_], twitter_federation:posts(Config, a, Bob)),
    [?assertEqual([], twitter_reading:ids(One, ?FRIENDS)) || One <- [Eve, Emil]],
    %% At no server: what Bob's has heard is not shown to readers from elsewhere, not even to its author.
    [?assertEqual([], twitter_reading:ids({One, twitter_federation:service(b)}, ?FRIENDS)) || One <- [Emil, Alice]],
    [?assertEqual(<<"item-not-found">>,
                  twitter_answers:refusal(twitter_requests:items({One, twitter_federation:service(b)}, of_friend(Alice))))
     || One <- [Emil, Alice, Eve]].

%%% At the author's server

readers_elsewhere_delete_nothing(Config) ->
    {Alice, Readers} = friends(Config, [{b, <<"bob">>}, {c, <<"carol">>}]),
    <<"1">> = twitter_requests:publish(Alice, <<"1">>, <<"One">>),
    [
        begin
            Place = {Reader, twitter_federation:service(a)},
            [
                begin
                    ?assertEqual({Answer, <<"not-allowed">>}, {Answer, twitter_answers:refusal(Answer)}),
                    ?assertNotEqual(<<>>, twitter_answers:error_text(Answer))
                end
             || Answer <- [
                    twitter_requests:pubsub(Place, set, parsed(<<"<retract node='/twitter/MyStream'><item id='1'/></retract>">>)),
                    twitter_requests:owner(Place, set, parsed(<<"<purge node='/twitter/MyStream'/>">>))
                ]
            ]
        end
     || Reader <- Readers
    ],
    ?assertEqual([<<"1">>], twitter_reading:ids(Alice, ?MINE)).

no_error_was_logged(Config) ->
    [ok = twitter_cases:no_error_was_logged([{server, twitter_federation:server(Config, Name)}]) || Name <- [a, b]],
    ok.

%%% Helpers

client(Config, Name, User) ->
    twitter_federation:login(Config, twitter_federation:user(Config, Name, User)).

%% Alice, and friends of hers elsewhere.
friends(Config, Wanted) ->
    Alice = client(Config, a, <<"alice">>),
    Readers = [client(Config, Name, User) || {Name, User} <- Wanted],
    [ok = twitter_federation:befriend(Config, twitter_cases:user(Alice), twitter_cases:user(Reader)) || Reader <- Readers],
    {Alice, Readers}.

of_friend(Client) ->
    <<?MY_FRIENDS/binary, "/", (twitter_client:bare(Client))/binary>>.

%% All that a reader is shown at his own server, as text.
everything(Reader) ->
    Nodes = [?FRIENDS, ?MY_FRIENDS | [Node || {Node, _} <- twitter_reading:rows(Reader, ?MY_FRIENDS)]],
    iolist_to_binary([fxml:element_to_binary(Ask(Reader, Node))
                      || Node <- Nodes, Ask <- [fun twitter_requests:items/2, fun twitter_requests:rows/2, fun twitter_requests:info/2]]).

parsed(Text) ->
    #xmlel{} = fxml_stream:parse_element(Text).
