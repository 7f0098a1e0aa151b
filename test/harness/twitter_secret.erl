%%% Bob has a post `secret', and a reader finds it or does not: whatever he asks for, what is
%%% hidden from him is answered exactly like what does not exist.
-module(twitter_secret).

-export([friend/1, assert_shown/2, assert_hidden/2, assert_alike/3, friends_posts/1, has_row/3]).

-type client() :: twitter_client:client().

-define(NOBODY, <<"nobody@localhost">>).

%% @doc Alice, and Bob, who shares presence with her and has the post.
-spec friend([{atom(), term()}]) -> {Alice :: client(), Bob :: client(), BobsJid :: binary()}.
friend(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    _ = twitter_requests:publish(Bob, <<"secret">>, <<"Hello">>),
    Jid = twitter_client:bare(Bob),
    assert_shown(Alice, Jid),
    {Alice, Bob, Jid}.

-spec assert_shown(Reader :: client(), Jid :: binary()) -> ok.
assert_shown(Reader, Jid) ->
    Stream = <<"/twitter/MyFriends/", Jid/binary>>,
    true = [{Jid, <<"secret">>}] =:= twitter_reading:posts(Reader, Stream),
    true = lists:member({Jid, <<"secret">>}, friends_posts(Reader)),
    true = has_row(Reader, <<"/twitter/MyFriends">>, Jid),
    %% So that "everything is unknown" would not pass for "hidden".
    [
        {Node, Name, false} =
            {Node, Name, twitter_answers:refusal(Ask(Reader, Node)) =:= <<"item-not-found">>}
     || Node <- [Stream, <<Stream/binary, "/secret">>, <<"/twitter/FriendsStream/secret">>],
        {Name, Ask} <- twitter_asks:all(),
        Name =/= pending, Name =/= command
    ],
    ok.

-spec assert_hidden(Reader :: client(), Jid :: binary()) -> ok.
assert_hidden(Reader, Jid) ->
    Stream = <<"/twitter/MyFriends/", Jid/binary>>,
    Nobody = <<"/twitter/MyFriends/", ?NOBODY/binary>>,
    assert_alike(Reader, Stream, Nobody),
    assert_alike(Reader, <<Stream/binary, "/secret">>, <<Nobody/binary, "/secret">>),
    assert_alike(Reader, <<"/twitter/FriendsStream/secret">>, <<"/twitter/FriendsStream/unheard">>),
    false = has_row(Reader, <<"/twitter/MyFriends">>, Jid),
    false = has_row(Reader, <<"/twitter/FriendsStream">>, Jid),
    [] = [Post || {Publisher, _} = Post <- friends_posts(Reader), Publisher =:= Jid],
    ok.

%% @doc Every request about the one node is answered like the same about the other: not found.
-spec assert_alike(Reader :: client(), Node :: binary(), Unknown :: binary()) -> ok.
assert_alike(Reader, Node, Unknown) ->
    [
        begin
            Answer = Ask(Reader, Node),
            {Name, Node, <<"item-not-found">>} = {Name, Node, twitter_answers:refusal(Answer)},
            Words = [Node, Unknown],
            true =
                twitter_answers:anonymous(Answer, Words) =:=
                    twitter_answers:anonymous(Ask(Reader, Unknown), Words)
        end
     || {Name, Ask} <- twitter_asks:all()
    ],
    ok.

%% @doc What the reader finds among his friends' posts, by list or by id.
-spec friends_posts(Reader :: client()) -> [twitter_answers:post()].
friends_posts(Reader) ->
    Stream = <<"/twitter/FriendsStream">>,
    ById = #{ids => [<<"secret">>]},
    lists:usort(twitter_reading:posts(Reader, Stream) ++ twitter_reading:posts(Reader, Stream, ById)).

%% @doc Whether a row below that node has the JID in its node id or its name.
-spec has_row(Reader :: client(), Node :: binary(), Jid :: binary()) -> boolean().
has_row(Reader, Node, Jid) ->
    lists:any(
        fun({Id, Name}) -> nomatch =/= binary:match(<<Id/binary, " ", Name/binary>>, Jid) end,
        twitter_reading:rows(Reader, Node)
    ).
