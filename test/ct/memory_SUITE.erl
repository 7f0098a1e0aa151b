%%% What is read from memory is what is stored, at any size of the memory; and it is read from there.
-module(memory_SUITE).

-include_lib("fast_xml/include/fxml.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1, init_per_group/2, end_per_group/2]).
-export([
    an_edit_is_seen_at_once/1,
    an_edit_is_seen_while_others_read/1,
    what_was_retracted_is_gone/1,
    what_was_purged_is_gone/1,
    a_new_owner_of_a_name_starts_anew/1,
    who_may_not_read_gets_nothing/1,
    large_posts_come_in_pages/1,
    many_friends_at_once/1,
    posts_are_read_from_memory/1,
    storage_is_read_in_portions/1,
    sizes_change_in_place/1,
    no_error_was_logged/1
]).

-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [{group, roomy}, {group, tiny}].

groups() ->
    Right = [
        an_edit_is_seen_at_once,
        an_edit_is_seen_while_others_read,
        what_was_retracted_is_gone,
        what_was_purged_is_gone,
        a_new_owner_of_a_name_starts_anew,
        who_may_not_read_gets_nothing,
        large_posts_come_in_pages,
        many_friends_at_once
    ],
    [
        {right, [parallel], Right},
        {roomy, [], [
            {group, right},
            posts_are_read_from_memory,
            storage_is_read_in_portions,
            sizes_change_in_place,
            no_error_was_logged
        ]},
        {tiny, [], [{group, right}, no_error_was_logged]}
    ].

init_per_suite(Config) -> Config.

end_per_suite(_Config) -> ok.

init_per_group(roomy, Config) ->
    twitter_cases:start(Config, #{name => "roomy"});
init_per_group(tiny, Config) ->
    %% Not one stream has room, and few payloads.
    twitter_cases:start(Config, #{name => "tiny", twitter => #{index_size => 2000, cache_size => 2000}});
init_per_group(right, Config) ->
    Config.

end_per_group(right, _Config) -> ok;
end_per_group(_Group, Config) -> twitter_cases:stop(Config).

%%% What is read is right

an_edit_is_seen_at_once(Config) ->
    {Reader, Author} = friends(Config),
    Id = twitter_requests:publish(Author, <<"first words">>),
    ok = assert_text(Reader, Author, Id, <<"first words">>),
    lists:foreach(
        fun(N) ->
            Text = <<"words ", (integer_to_binary(N))/binary>>,
            Id = twitter_requests:publish(Author, Id, Text),
            ok = assert_text(Reader, Author, Id, Text)
        end,
        lists:seq(1, 10)
    ),
    Element = fxml_stream:parse_element(<<"<a xmlns='urn:a'><b>not text any more</b></a>">>),
    Id = twitter_requests:publish(Author, Id, Element),
    [{_, Id, Element}] = twitter_reading:entries(Reader, ?FRIENDS),
    %% What is forgotten comes from storage, and is the same.
    ok = twitter_cases:forget(Config, twitter_client:bare(Author)),
    [{_, Id, Element}] = twitter_reading:entries(Reader, ?FRIENDS),
    Id = twitter_requests:publish(Author, Id, <<"text again">>),
    ok = assert_text(Reader, Author, Id, <<"text again">>).

%% Readers bring into memory what they have read; whoever has published reads what he wrote.
an_edit_is_seen_while_others_read(Config) ->
    Server = twitter_cases:server(Config),
    [Author | Readers] = twitter_cases:friends(Config, [<<"author">> | lists:duplicate(3, <<"reader">>)]),
    Witness = twitter_users:login(Server, twitter_cases:user(hd(Readers))),
    Texts = [integer_to_binary(N) || N <- lists:seq(1, 60)],
    Read = fun(Client) ->
        [{_, <<"x">>, Text}] = twitter_reading:entries(Client, ?FRIENDS),
        binary_to_integer(Text)
    end,
    _ = twitter_requests:publish(Author, <<"x">>, <<"0">>),
    Write = fun() ->
        [
            begin
                _ = twitter_requests:publish(Author, <<"x">>, Text),
                ?assertEqual(binary_to_integer(Text), Read(Witness))
            end
         || Text <- Texts
        ]
    end,
    %% Nobody goes back behind what he has seen.
    Reads = fun(Client) -> fun() -> [Read(Client) || _ <- Texts] end end,
    [_ | Seen] = twitter_cases:together([Write | [Reads(Reader) || Reader <- Readers]]),
    [?assertEqual(lists:sort(List), List) || List <- Seen],
    [?assertEqual(60, Read(Reader)) || Reader <- Readers].

what_was_retracted_is_gone(Config) ->
    {Reader, Author} = friends(Config),
    lists:foreach(
        fun(N) ->
            Id = twitter_requests:publish(Author, <<"id">>, integer_to_binary(N)),
            ok = assert_text(Reader, Author, Id, integer_to_binary(N)),
            ok = twitter_requests:retract(Author, Id),
            ok = assert_gone(Reader, Author, Id)
        end,
        lists:seq(1, 5)
    ).

what_was_purged_is_gone(Config) ->
    {Reader, Author} = friends(Config),
    lists:foreach(
        fun(N) ->
            Ids = [twitter_requests:publish(Author, Id, integer_to_binary(N)) || Id <- [<<"a">>, <<"b">>]],
            [ok = assert_text(Reader, Author, Id, integer_to_binary(N)) || Id <- Ids],
            ok = twitter_requests:purge(Author),
            [ok = assert_gone(Reader, Author, Id) || Id <- Ids]
        end,
        lists:seq(1, 5)
    ).

a_new_owner_of_a_name_starts_anew(Config) ->
    Server = twitter_cases:server(Config),
    {Reader, First} = friends(Config),
    {Name, Host} = User = twitter_cases:user(First),
    _ = twitter_requests:publish(First, <<"a">>, <<"of the first">>),
    _ = twitter_requests:publish(First, <<"b">>, <<"of the first too">>),
    ok = assert_text(Reader, First, <<"a">>, <<"of the first">>),
    ok = twitter_users:unregister(Server, User),
    [] = twitter_reading:entries(Reader, ?FRIENDS),
    User = twitter_users:register(Server, Name, Host),
    ok = twitter_users:befriend(Server, User, twitter_cases:user(Reader)),
    Second = twitter_users:login(Server, User),
    [] = twitter_reading:entries(Reader, ?FRIENDS),
    _ = twitter_requests:publish(Second, <<"a">>, <<"of the second">>),
    ok = assert_text(Reader, Second, <<"a">>, <<"of the second">>),
    ok = assert_gone(Reader, Second, <<"b">>).

%% The post is in memory, for one who may read it.
who_may_not_read_gets_nothing(Config) ->
    {Reader, Author} = friends(Config),
    [Stranger] = twitter_cases:strangers(Config, [<<"stranger">>]),
    Jid = twitter_client:bare(Author),
    _ = twitter_requests:publish(Author, <<"secret">>, <<"Hello">>),
    ok = assert_text(Reader, Author, <<"secret">>, <<"Hello">>),
    ok = twitter_secret:assert_hidden(Stranger, Jid),
    ok = twitter_secret:assert_shown(Reader, Jid),
    ok = twitter_users:block(Reader, Jid),
    ok = twitter_secret:assert_hidden(Reader, Jid),
    ok = twitter_users:unblock(Reader, Jid),
    ok = assert_text(Reader, Author, <<"secret">>, <<"Hello">>),
    ok = twitter_users:remove_contact(Author, twitter_client:bare(Reader)),
    ok = twitter_secret:assert_hidden(Reader, Jid).

%% Some are too large for the memory, and few fit into an answer.
large_posts_come_in_pages(Config) ->
    {Reader, Author} = friends(Config),
    Posts = [
        {twitter_client:bare(Author), Id, Text}
     || N <- lists:seq(1, 40),
        Text <- [twitter_cases:large(<<"snow ☃ "/utf8, (integer_to_binary(N))/binary>>, (N rem 4) * 20_000 + 10)],
        Id <- [twitter_requests:publish(Author, Text)]
    ],
    Posts = twitter_reading:stream(Reader, ?FRIENDS, 1000),
    Posts = twitter_reading:stream(Author, ?MINE, 7),
    %% From the other end, again, and when it was all forgotten.
    Backward = lists:append(lists:reverse(twitter_reading:pages(Reader, ?FRIENDS, {backward, 100}))),
    Backward = [{Publisher, Id} || {Publisher, Id, _} <- Posts],
    ok = twitter_cases:forget(Config, twitter_client:bare(Author)),
    Posts = twitter_reading:stream(Reader, ?FRIENDS, 1000).

many_friends_at_once(Config) ->
    Server = twitter_cases:server(Config),
    [Reader | Friends] = twitter_cases:friends(Config, [<<"reader">> | lists:duplicate(40, <<"friend">>)]),
    Posts = twitter_cases:chat(Friends, 3),
    Readers = [Reader, twitter_users:login(Server, twitter_cases:user(Reader))],
    Read = fun(Client) -> fun() -> lists:append(twitter_reading:pages(Client, ?FRIENDS, {forward, 50})) end end,
    [?assertEqual(Posts, Pages) || Pages <- twitter_cases:together([Read(Client) || Client <- Readers])].

%%% It is read from memory

posts_are_read_from_memory(Config) ->
    {Reader, Author} = friends(Config),
    Id = twitter_requests:publish(Author, <<"Hello">>),
    %% A fresh post is in memory before anybody reads it.
    0 = storage_reads(Config, fun() ->
        [ok = assert_text(Reader, Author, Id, <<"Hello">>) || _ <- lists:seq(1, 3)],
        Id = twitter_requests:publish(Author, Id, <<"Hello again">>),
        ok = assert_text(Reader, Author, Id, <<"Hello again">>)
    end),
    ok = twitter_cases:forget(Config, twitter_client:bare(Author)),
    1 = storage_reads(Config, fun() ->
        [ok = assert_text(Reader, Author, Id, <<"Hello again">>) || _ <- lists:seq(1, 3)]
    end).

storage_is_read_in_portions(Config) ->
    {Reader, Author} = friends(Config),
    Ids = [twitter_requests:publish(Author, integer_to_binary(N)) || N <- lists:seq(1, 120)],
    Read = fun() -> Ids = [Id || {_, Id, _} <- twitter_reading:stream(Reader, ?FRIENDS, 1000)] end,
    0 = storage_reads(Config, Read),
    ok = twitter_cases:forget(Config, twitter_client:bare(Author)),
    3 = storage_reads(Config, Read),
    0 = storage_reads(Config, Read),
    %% Of large ones, no more is read than there is room for, but for the rest of a portion.
    Large = twitter_cases:large(<<"x">>, 60_000),
    _ = [twitter_requests:publish(Author, Large) || _ <- lists:seq(1, 120)],
    ok = twitter_cases:forget(Config, twitter_client:bare(Author)),
    1 = storage_reads(Config, fun() ->
        Read60k = twitter_reading:ids(Reader, ?FRIENDS, #{rsm => #{max => 1000, before => <<>>}}),
        true = length(Read60k) < 20
    end).

%% A reload makes room, or takes it, without forgetting the rest.
sizes_change_in_place(Config) ->
    Server = twitter_cases:server(Config),
    {Reader, Author} = friends(Config),
    Id = twitter_requests:publish(Author, <<"Hello">>),
    ok = assert_text(Reader, Author, Id, <<"Hello">>),
    {_, _, _, Posts, Payloads} = memory(Config),
    true = Posts > 0 andalso Payloads > 0,
    ok = reload(Server, #{cache_size => 1}),
    {_, 0, _, Posts, 0} = memory(Config),
    ok = assert_text(Reader, Author, Id, <<"Hello">>),
    {_, 0, _, _, 0} = memory(Config),
    ok = reload(Server, #{cache_size => 1_000_000, index_size => 1}),
    {_, _, _, 0, _} = memory(Config),
    ok = assert_text(Reader, Author, Id, <<"Hello">>),
    {_, _, _, 0, _} = memory(Config),
    ok = reload(Server, #{}),
    ok = assert_text(Reader, Author, Id, <<"Hello">>),
    {_, _, _, Now, _} = memory(Config),
    true = Now > 0,
    0 = storage_reads(Config, fun() -> ok = assert_text(Reader, Author, Id, <<"Hello">>) end).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

friends(Config) ->
    [Reader, Author] = twitter_cases:friends(Config, [<<"reader">>, <<"author">>]),
    {Reader, Author}.

%% A post says this, whatever way it is read.
assert_text(Reader, Author, Id, Text) ->
    Jid = twitter_client:bare(Author),
    Stream = <<"/twitter/MyFriends/", Jid/binary>>,
    ById = #{ids => [Id]},
    lists:foreach(
        fun({Client, Node}) ->
            Post = <<Node/binary, "/", Id/binary>>,
            ?assertEqual(Text, text_of(Jid, Id, twitter_reading:entries(Client, Node))),
            ?assertEqual([[{xmlcdata, Text}]], twitter_reading:payloads(Client, Node, ById)),
            ?assertEqual([{Jid, Id, Text}], twitter_reading:entries(Client, Post)),
            {Post, Row} = lists:keyfind(Post, 1, twitter_reading:rows(Client, Node)),
            ?assertNotEqual(nomatch, string:find(Row, Text)),
            Info = fxml:element_to_binary(twitter_answers:result(twitter_requests:info(Client, Post))),
            ?assertNotEqual(nomatch, string:find(Info, <<">", Text/binary, "<">>))
        end,
        [{Author, ?MINE}, {Reader, ?FRIENDS}, {Reader, Stream}]
    ).

text_of(Jid, Id, Entries) ->
    [Text] = [Text || {Publisher, Found, Text} <- Entries, Publisher =:= Jid, Found =:= Id],
    Text.

assert_gone(Reader, Author, Id) ->
    Stream = <<"/twitter/MyFriends/", (twitter_client:bare(Author))/binary>>,
    lists:foreach(
        fun({Client, Node}) ->
            Post = <<Node/binary, "/", Id/binary>>,
            ?assertNot(lists:member(Id, twitter_reading:ids(Client, Node))),
            ?assertEqual([], twitter_reading:ids(Client, Node, #{ids => [Id]})),
            ?assertNot(lists:keymember(Post, 1, twitter_reading:rows(Client, Node))),
            ?assertEqual(<<"item-not-found">>, twitter_answers:refusal(twitter_requests:info(Client, Post)))
        end,
        [{Author, ?MINE}, {Reader, ?FRIENDS}, {Reader, Stream}]
    ).

%% How often storage is read for posts while `Fun' runs.
storage_reads(Config, Fun) ->
    Server = twitter_cases:server(Config),
    Posts = {twitter_store, posts, 2},
    1 = twitter_server:call(Server, erlang, trace_pattern, [Posts, true, [call_count]]),
    _ = Fun(),
    {call_count, Count} = twitter_server:call(Server, erlang, trace_info, [Posts, call_count]),
    1 = twitter_server:call(Server, erlang, trace_pattern, [Posts, false, [call_count]]),
    Count.

%% What the index has in memory.
memory(Config) ->
    twitter_server:call(twitter_cases:server(Config), twitter_index, memory, [<<"pubsub.localhost">>]).

reload(Server, Options) ->
    ok = twitter_server:reload(Server, #{twitter => Options}),
    twitter_server:await_service(Server, <<"localhost">>).
